"""``python -m ci_gate.measure.locustfile`` imports Locust, then describes the locustfiles of an `Order`."""

import gc

if __name__ == "__main__":
    gc.disable()  # what an import makes stays: to look for garbage meanwhile takes a tenth of its time
    from ci_gate.measure.locustfile.describe import main

    main()
