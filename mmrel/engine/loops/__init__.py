from .knn_loop import KNNTestLoop, KNNValLoop
from .student_teacher_loop import StudentTeacherTestLoop, StudentTeacherValLoop

__all__ = [
    'KNNTestLoop',
    'KNNValLoop',
    'StudentTeacherTestLoop',
    'StudentTeacherValLoop',
]
