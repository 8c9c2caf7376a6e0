"""What a visitor should see next: nearest neighbours among recent sessions, sequential rules, popularity.

``clicks`` → ``index`` (compact arrays) → ``scoring`` (one session's answer), with ``overlay`` for what happened since;
``baselines`` and ``evaluation`` say how good it is.
"""

NAME = "recommender"
