"""LinuxCNC: its text server (linuxcncrsh), a program beside it that streams servo cycles, and private controllers for tests."""
