from .accuracy import Accuracy
from .knn import knn_scores, nearest, vote

__all__ = ['Accuracy', 'knn_scores', 'nearest', 'vote']
