"""The report as one HTML file that needs no network: tables, sentences and charts.

``chart`` and ``table`` are what a page is made of, ``page.render_page`` is the shell around them: a page of
another command extends ``templates/page.html`` and imports its parts from ``templates/parts.html``.
"""
