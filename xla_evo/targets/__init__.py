"""What is approximated: functions, their references, domains and formats."""
