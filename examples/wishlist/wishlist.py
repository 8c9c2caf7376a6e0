"""What is wished for: how often each product was put on a wishlist in an hour, and by how many people."""

from clickstream.answers import HOUR, Application, Count, Distinct, Table

WISHES = Table("wishes", per=HOUR, wishes=Count(), wishers=Distinct())


def wished(event, user):
    yield WISHES.add(event.product_id, wishes=1, wishers=event.user_id)


APPLICATION = Application("wishlist", on={"wish": wished}, answers=[WISHES])
