from .accuracy import Accuracy
from .knn import knn_scores, nearest, neighbour_table, vote

__all__ = ['Accuracy', 'knn_scores', 'nearest', 'neighbour_table', 'vote']
