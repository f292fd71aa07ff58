from .knn_loop import KNNTestLoop, KNNValLoop
from .search_loop import ScorePathsLoop, SearchLoop
from .student_teacher_loop import StudentTeacherTestLoop, StudentTeacherValLoop

__all__ = [
    'KNNTestLoop',
    'KNNValLoop',
    'ScorePathsLoop',
    'SearchLoop',
    'StudentTeacherTestLoop',
    'StudentTeacherValLoop',
]
