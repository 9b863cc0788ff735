"""The machine below the recorder: event loops, threads, standard input, time zones."""
