"""What the courts of a development chain wait for and ask for (`launch:`, docs/deployment.md)."""

INFR = 10**18
RESPONSE_S = 60
INCLUSION_S = 60
ANSWER_S = 300
BOND = 10 * INFR
