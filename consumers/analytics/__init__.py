"""What is happening in the shop, and what happened: counts, revenue, uniques, funnel and rankings per minute, hour and day.

Events → ``fold`` (windows, tallies, sketches, sessions) → ``aggregate_rows`` → ``sink`` → DynamoDB → ``views``.
"""

NAME = "analytics"
