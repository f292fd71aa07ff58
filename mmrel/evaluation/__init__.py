from .accuracy import Accuracy
from .knn import knn_scores, nearest, neighbor_table, vote
from .side_accuracy import SideAccuracy

__all__ = ['Accuracy', 'SideAccuracy', 'knn_scores', 'nearest', 'neighbor_table', 'vote']
