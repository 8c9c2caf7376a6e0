"""What is happening in the shop, and what happened: counts, revenue, uniques, funnel and rankings per minute, hour and day.

Events → ``fold`` (windows, tallies, sketches, sessions) → ``rows`` → ``sink`` → DynamoDB → ``views`` → ``answers``.
"""

NAME = "analytics"
