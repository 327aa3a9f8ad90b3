from __future__ import annotations

from chat.client.events import CaughtUp, Welcomed
from chat.client.sentences import Whereabouts, back_again


def test_whereabouts() -> None:
    lobby = Welcomed("Zoe", "lobby", "2 in lobby")
    whereabouts = Whereabouts("Zoe", "lobby")
    assert whereabouts.news(lobby) == ["2 in lobby"]
    assert whereabouts.news(lobby._replace(returned=True)) == []
    assert whereabouts.news(lobby._replace(nickname="ZOE")) == ["you are ZOE now"]
    assert whereabouts.news(lobby._replace(nickname="ZOE")) == ["you are ZOE already, in lobby"]
    assert whereabouts.news(Welcomed("ZOE", "tea", "1 in tea")) == ["you are in tea now", "1 in tea"]
    assert whereabouts.news(Welcomed("Zoe", "lobby", returned=True)) == ["you are Zoe now", "you are in lobby now"]


def test_whereabouts_where_there_are_no_rooms() -> None:
    whereabouts = Whereabouts("Zoe", "lobby")
    assert whereabouts.news(Welcomed("Zoe", "")) == []
    assert whereabouts.news(Welcomed("Ada", "")) == ["you are Ada now"]
    assert whereabouts.news(Welcomed("Ada", "")) == ["you are Ada already"]


def test_another_name_than_was_asked_for() -> None:
    assert Whereabouts("zoe", "lobby").news(Welcomed("Zoe L.", "lobby")) == ["you are Zoe L. now"]


def test_back_again() -> None:
    assert back_again(CaughtUp(0)) == "back again"
    assert back_again(CaughtUp(0), "nothing was missed") == "back again, nothing was missed"
    assert back_again(CaughtUp(1), "nothing was missed") == "back again, 1 message caught up"
    assert back_again(CaughtUp(2)) == "back again, 2 messages caught up"
