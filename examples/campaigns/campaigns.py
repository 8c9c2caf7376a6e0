"""Who is here because of which campaign: live sessions per campaign and five minutes.

A campaign is named by the page view that a visitor lands with; the views that follow in the session count for it too.
"""

import msgspec

from clickstream.answers import MINUTE, Application, Count, Distinct, Table

LIVE = Table("live", per=5 * MINUTE, sessions=Distinct(), views=Count())


class Visit(msgspec.Struct):
    session_id: str = ""
    campaign: str = ""


def viewed(event, user):
    visit = user.state
    if event.session_id != visit.session_id:
        visit.session_id, visit.campaign = event.session_id, ""
    visit.campaign = event.campaign or visit.campaign
    if visit.campaign:
        yield LIVE.add(visit.campaign, sessions=event.session_id, views=1)


APPLICATION = Application("campaigns", on={"page_view": viewed}, state=Visit, answers=[LIVE])
