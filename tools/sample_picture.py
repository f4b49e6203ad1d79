"""Print the path of a photograph in PNG: scikit-image, which the tests need anyway, brings one."""

from pathlib import Path

import skimage

if __name__ == "__main__":
    print(Path(skimage.__file__).parent / "data" / "astronaut.png")
