"""The style sheet of the report."""

STYLE = """
:root { color-scheme: light; --ink: #1c2430; --muted: #566272; --line: #dbe1e8; --wash: #f4f6f9;
  --accent: #1d4ed8; --fraud: #c2410c; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink);
  font: 16px/1.55 Inter, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { margin: 0 0 4px; font-size: 30px; line-height: 1.2; letter-spacing: -0.01em; }
h2 { margin: 0 0 4px; font-size: 20px; line-height: 1.3; }
h3 { margin: 20px 0 4px; font-size: 16px; }
p { margin: 0 0 12px; max-width: 78ch; }
header p, .about, figcaption, footer { color: var(--muted); }
section { margin: 24px 0; padding: 24px; background: #fff; border: 1px solid var(--line);
  border-radius: 12px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(238px, 1fr)); gap: 12px;
  margin: 24px 0; padding: 0; list-style: none; }
.cards li { padding: 16px; background: #fff; border: 1px solid var(--line); border-radius: 12px; }
.cards .name { font-size: 14px; color: var(--muted); }
.cards .value { font-size: 28px; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em;
  font-variant-numeric: tabular-nums; }
.cards .meaning { font-size: 13px; line-height: 1.4; color: var(--muted); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 24px; }
figure { margin: 12px 0 0; overflow-x: auto; }
figure img { display: block; width: 100%; min-width: 440px; height: auto; }
figcaption { font-size: 14px; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 14px;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 12px 0 4px; }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--muted); font-weight: 500; vertical-align: bottom; }
tbody th { font-weight: 500; }
td.bar { background: linear-gradient(to right, #dbe6fb var(--share), transparent var(--share))
  no-repeat 0 50% / 100% 70%; }
tbody + tbody th[colspan], thead + tbody th[colspan] { padding-top: 18px; font-weight: 650; }
.text { text-align: left; white-space: normal; min-width: 200px; }
details { margin-top: 12px; }
summary { cursor: pointer; color: var(--accent); font-size: 14px; }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.note { padding: 10px 14px; border-left: 4px solid #d97706; background: #fff8eb;
  border-radius: 4px; }
footer { padding-bottom: 40px; font-size: 14px; }
@media (max-width: 560px) { .pair { grid-template-columns: 100%; } section { padding: 16px; }
  .cards { grid-template-columns: 1fr 1fr; } header, main, footer { padding-right: 12px;
  padding-left: 12px; } }
@media print { body { background: #fff; } section, .cards li { break-inside: avoid; } }
"""
