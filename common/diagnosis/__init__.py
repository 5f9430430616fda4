"""Diagnosis: what the figures of an engine mean: rates out of counters; what is wrong, in words with a remedy.

For the doctor, the dashboard and `tickflag top`. In: figures and answers of the services. Out: rates, diagnoses.
"""
