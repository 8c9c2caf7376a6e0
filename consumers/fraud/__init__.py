"""Is this purchase fraud: approve, review or block, with the score, the reasons and the model that said so."""

NAME = "fraud"
