"""The least error of a classifier on the line, for every number of sign changes at once.

A distribution on the line is a row of N pieces whose labels alternate, each with its mass. A
classifier without error changes its sign between any two of them. Giving up a piece (its mass
becomes error) joins it with its two neighbours and saves two sign changes; to give up the joined
piece, too, costs its neighbours' mass less its own. To give up the cheapest piece again and again
is optimal for every number of sign changes (the steps of a shortest augmenting path method, whose
costs never fall).

No heap is needed: a piece that is not dearer than its neighbours is given up before them, and until
then its cost stays what it is. So such pieces are given up in the order in which they lie, in one
pass with a stack, and sorted afterwards."""

from fracsim.kernels.jit import kernel


@kernel
def merge_costs(mass, costs):
    """Give up pieces of ``mass`` (N,) until only infinite ones are left; their costs go to
    ``costs``, in no order.

    ``mass`` is overwritten (it becomes the stack); ``costs`` needs room for N // 2. Returns how
    many pieces were given up; each saved two sign changes. The first and the last mass must be
    infinite, the others finite: the classifier's signs at both ends are then those of these pieces.
    """
    top, done = -1, 0
    for i in range(mass.size):
        current = mass[i]
        while top > 0 and mass[top] <= mass[top - 1] and mass[top] <= current:
            costs[done] = mass[top]
            done += 1
            current = mass[top - 1] - mass[top] + current
            top -= 2
        top += 1
        mass[top] = current
    return done
