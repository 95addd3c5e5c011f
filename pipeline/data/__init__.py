"""The data of a study: two sources, three splits and a grid to draw on, and the standardisation between units."""

from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.data.files import SPLITS, load, save
from shoal.pipeline.data.sources import build
from shoal.pipeline.scaling import Scaling

__all__ = ["SPLITS", "Dataset", "Scaling", "Split", "build", "load", "save"]
