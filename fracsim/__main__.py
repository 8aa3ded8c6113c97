"""``python -m fracsim``: the command ``fracsim``, where its script is not on the path."""

from fracsim.cli.start import main

if __name__ == "__main__":
    main()
