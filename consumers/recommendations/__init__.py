"""What each visitor should see next, a moment after every click.

Events → ``fold`` (each visitor's recent items) → ``offers`` (the model's answers, and whether they were clicked) → ``sink`` →
DynamoDB → ``views``.
"""

NAME = "recommendations"
