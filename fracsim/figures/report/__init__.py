"""The report: what files hold on one self-contained HTML page, figures as inline SVG."""
