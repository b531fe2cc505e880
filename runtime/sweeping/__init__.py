"""Many trainings of one spec: which ones, several at a time, and one table of what they reached.

fields, variants, seeds -> Plan (every run checked) -> train processes -> figures of each run -> rows -> table, plot
"""
