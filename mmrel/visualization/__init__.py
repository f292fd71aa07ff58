from .curves import Scalars, find_scalars, plot_curves, read_scalars
from .embedding import embed_tsne, plot_tsne
from .neighbours import choose_queries, find_neighbours, plot_neighbours
from .study import plot_study, study_table

__all__ = [
    'Scalars',
    'find_scalars',
    'plot_curves',
    'read_scalars',
    'embed_tsne',
    'plot_tsne',
    'choose_queries',
    'find_neighbours',
    'plot_neighbours',
    'plot_study',
    'study_table',
]
