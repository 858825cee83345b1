//! The style sheet.

/// Light by default, dark where the reader asks for it. The attribute selectors at the end give the marker colours of the latency
/// curves those of the page.
pub(super) const CSS: &str = r##"
:root { --bg: #ffffff; --panel: #f6f7f9; --fg: #1a1d21; --quiet: #5b6470; --line: #dde1e6; --good: #11734b; --bad: #b3261e; --warn: #8a5a00;
  --s0: #0b62c4; --s1: #c2571a; --s2: #8d3fb0; --s3: #2d7d46; --s4: #a8890c; --s5: #b3265f; --s6: #1b8a94; --s7: #6b6f76; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171b; --panel: #1d2127; --fg: #e6e9ed; --quiet: #9aa4b0; --line: #333a43; --good: #5cc795;
  --bad: #ff8a80; --warn: #f0be5a; --s0: #6cb0ff; --s1: #ff9d66; --s2: #d49bf0; --s3: #7fd49a; --s4: #e3c94f; --s5: #ff8ab5; --s6: #66d3dc; --s7: #aab0b8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
header, main, nav { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 36px; padding-bottom: 20px; border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 30px; letter-spacing: -0.01em; }
h2 { margin: 0 0 6px; font-size: 20px; overflow-wrap: anywhere; }
h3 { margin: 22px 0 6px; font-size: 15px; }
h4 { margin: 16px 0 4px; font-size: 14px; }
section { padding: 28px 0 6px; }
section + section { border-top: 1px solid var(--line); }
.kicker { margin: 0 0 4px; color: var(--quiet); font-size: 13px; }
.question { margin: 4px 0 14px; font-size: 17px; color: var(--quiet); }
.badges { display: flex; flex-wrap: wrap; gap: 8px; margin: 0 0 10px; }
.badge { padding: 3px 11px; border-radius: 999px; border: 1px solid currentColor; font-size: 13px; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.summary { margin: 0 0 14px; font-weight: 600; }
.reasons { margin: 0 0 14px; color: var(--warn); font-size: 14px; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 8px 20px; margin: 0; }
.facts div { min-width: 0; } .facts dt { color: var(--quiet); font-size: 12px; } .facts dd { margin: 0; overflow-wrap: anywhere; font-size: 14px; }
.lost ul { margin: 6px 0; padding-left: 20px; }
.conditions, .headline, figcaption { color: var(--quiet); margin: 2px 0 10px; }
.headline { margin: 4px 0; } .headline b { color: var(--fg); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 8px 0 12px; font-size: 14px; }
th, td { padding: 6px 10px 6px 0; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 500; font-size: 12.5px; border-bottom-width: 2px; }
tbody th { font-weight: 600; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.main { font-weight: 600; } .words { white-space: nowrap; }
small { color: var(--quiet); font-weight: 400; font-size: 12px; }
tr.suspect .number { text-decoration: line-through; color: var(--quiet); }
tr.invalid .number, tr.skipped td { color: var(--quiet); font-weight: 400; }
.better { color: var(--good); } .worse, .INVALID { color: var(--bad); } .inconclusive { color: var(--warn); } .quiet, .same { color: var(--quiet); }
.worse, .better, .INVALID { font-weight: 600; }
.lost li.worse { font-weight: 500; }
.plain { list-style: none; padding: 0; margin: 4px 0; font-size: 14px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 14px 0 0; font-size: 14px; }
.chip { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 7px; background: currentColor; }
.s0 { color: var(--s0); } .s1 { color: var(--s1); } .s2 { color: var(--s2); } .s3 { color: var(--s3); }
.s4 { color: var(--s4); } .s5 { color: var(--s5); } .s6 { color: var(--s6); } .s7 { color: var(--s7); }
details { margin: 10px 0; padding: 8px 14px; background: var(--panel); border-radius: 8px; }
summary { cursor: pointer; font-weight: 500; font-size: 14px; }
figure { margin: 12px 0; }
figcaption { font-size: 13px; }
code { font-family: ui-monospace, "Liberation Mono", monospace; font-size: 13px; }
.reading dt { font-weight: 600; margin-top: 10px; } .reading dd { margin: 0; color: var(--quiet); }
svg.plot { display: block; width: 100%; height: auto; background: var(--panel); border-radius: 8px; font-family: inherit; }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .one { stroke: var(--quiet); stroke-width: 1.5; stroke-dasharray: 4 3; }
svg .limit { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 6 3; }
svg .band { fill: var(--line); opacity: 0.45; }
svg .tick { fill: var(--quiet); font-size: 12px; } svg .label { fill: var(--fg); font-size: 12.5px; }
svg g.better, svg g.worse, svg g.inconclusive, svg g.same { fill: currentColor; font-weight: 400; }
svg .word { font-size: 12.5px; font-weight: 600; fill: currentColor; } svg .whisker { stroke: currentColor; stroke-width: 2; }
svg .curve { stroke: currentColor; stroke-width: 1.8; }
svg .dot { fill: currentColor; opacity: 0.85; } svg .ring { fill: none; stroke: currentColor; stroke-width: 1.8; } svg .late { opacity: 0.3; }
svg .median { stroke: currentColor; stroke-width: 1.5; }
.pairs { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 0 16px; }
svg .line { fill: none; stroke: currentColor; stroke-width: 2; } svg .ideal { stroke: currentColor; stroke-width: 1; stroke-dasharray: 5 4; opacity: 0.6; }
svg.curves text { fill: var(--quiet); font-family: inherit; }
svg.curves [stroke="#010101"] { stroke: var(--line); }
svg.curves [stroke="#010000"] { stroke: var(--s0); } svg.curves [stroke="#010001"] { stroke: var(--s1); }
svg.curves [stroke="#010002"] { stroke: var(--s2); } svg.curves [stroke="#010003"] { stroke: var(--s3); }
svg.curves [stroke="#010004"] { stroke: var(--s4); } svg.curves [stroke="#010005"] { stroke: var(--s5); }
svg.curves [stroke="#010006"] { stroke: var(--s6); } svg.curves [stroke="#010007"] { stroke: var(--s7); }
@media print { details { break-inside: avoid; } section { break-inside: auto; } }
"##;
