"""``python -m mmrel``, the same as the command ``mmrel``."""

from mmrel.cli import main

if __name__ == '__main__':
    main()
