"""``python -m ci_gate.measure.in_locust FOLDER locust-arguments...`` is Locust with the recorder in it."""

import gc

if __name__ == "__main__":
    gc.disable()  # what an import makes stays: to look for garbage meanwhile takes a tenth of its time
    from ci_gate.measure.in_locust.recorder import main

    main()
