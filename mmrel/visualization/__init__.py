from .boxes import plot_boxes
from .codes import plot_codes
from .curves import Scalars, find_scalars, plot_curves, read_scalars
from .embedding import embed_tsne, plot_tsne
from .neighbors import choose_queries, find_neighbors, plot_neighbors
from .ranking import plot_ranking
from .search import pareto_front, plot_history, plot_pareto, plot_rank_correlation
from .study import plot_study, study_table

__all__ = [
    'plot_boxes',
    'Scalars',
    'find_scalars',
    'plot_curves',
    'read_scalars',
    'embed_tsne',
    'plot_tsne',
    'choose_queries',
    'find_neighbors',
    'plot_neighbors',
    'pareto_front',
    'plot_history',
    'plot_pareto',
    'plot_rank_correlation',
    'plot_codes',
    'plot_ranking',
    'plot_study',
    'study_table',
]
