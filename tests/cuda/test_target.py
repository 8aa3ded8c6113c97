"""The import shim: inside pytest kernels run in the simulator unless a card works."""

import numba
from conftest import card_works

from fracsim.kernels.cache import use_folder_of
from fracsim.kernels.cuda import target


def test_the_simulator_is_on_exactly_where_no_card_works():
    assert card_works() != target.SIMULATED


def test_the_simulator_does_not_cost_the_kernels_their_cache():
    kept = use_folder_of("fracsim.kernels.network.shape")
    numba.config.reload_config()  # as numba does whenever it compiles
    assert numba.config.CACHE_DIR or not kept
