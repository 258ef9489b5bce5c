#include "report_page.h"
#include "report_plots.h"

/* Nothing here begins an element or an entity: the page is read by parsers of XML, too. */
static const char style[] =
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    "header,nav,main,footer{max-width:67rem;margin:0 auto;padding:0 1.5rem}\n"
    "header{padding-top:2.5rem}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:0 0 .35rem;letter-spacing:-.01em}\n"
    "h2{font-size:1.35rem;line-height:1.3;margin:0 0 .75rem;padding-top:1.5rem;"
    "border-top:1px solid var(--grid)}\n"
    "h3{font-size:1.05rem;margin:1.75rem 0 .5rem}\n"
    "section{margin-top:2.5rem}\n"
    "p{margin:.5rem 0;max-width:52rem}\n"
    "a{color:var(--s1)}\n"
    ".origin{color:var(--muted);max-width:none;overflow-wrap:anywhere}\n"
    "dl.facts{display:grid;grid-template-columns:repeat(4,1fr);gap:1px;"
    "margin:1.5rem 0 0;border:1px solid var(--grid);border-radius:8px;overflow:hidden;"
    "background:var(--grid)}\n"
    "dl.facts div{background:var(--card);padding:.7rem .9rem}\n"
    "dl.facts dt{font-size:.8rem;color:var(--muted)}\n"
    "dl.facts dd{margin:0;font-size:1.2rem;font-weight:600;font-variant-numeric:tabular-nums;"
    "overflow-wrap:anywhere}\n"
    "dl.facts .no{color:var(--bad)}\n"
    "nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;"
    "margin:1.25rem 0 0;font-size:.95rem}\n"
    "ul.warnings{list-style:none;padding:0;margin:1rem 0}\n"
    "ul.warnings li{border-left:4px solid var(--s2);background:var(--card);padding:.6rem .9rem;"
    "margin:.5rem 0;border-radius:0 6px 6px 0;overflow-wrap:anywhere}\n"
    "ul.warnings code{color:var(--muted);font-size:.85em}\n"
    "figure{margin:1.25rem 0 1.75rem;break-inside:avoid}\n"
    "figure>svg{display:block;width:100%;height:auto;color:var(--ink)}\n"
    "figure text{font-family:inherit}\n"
    "figcaption{color:var(--muted);font-size:.9rem;max-width:52rem;margin-top:.5rem}\n"
    ".legends{display:grid;grid-template-columns:1fr 1fr;gap:0 1.5rem}\n"
    "ul.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;padding:0;"
    "margin:.25rem 0;font-size:.85rem;align-content:start}\n"
    "ul.legend li{display:flex;align-items:center;gap:.3rem;max-width:20rem;"
    "overflow-wrap:anywhere}\n"
    "ul.legend .note{color:var(--muted)}\n"
    "svg.swatch{width:30px;height:12px;flex:none}\n"
    ".scroll{overflow-x:auto;margin:1rem 0}\n"
    "table{border-collapse:collapse;font-size:.875rem;line-height:1.4;"
    "font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;font-weight:600;font-size:.95rem;padding:.25rem 0 .5rem;"
    "max-width:60rem}\n"
    "th,td{padding:.28rem .7rem;text-align:right;vertical-align:top;white-space:nowrap}\n"
    "th:first-child,td:first-child{padding-left:.1rem}\n"
    "thead th{color:var(--muted);font-weight:600;border-bottom:1px solid var(--muted)}\n"
    "thead tr.groups th{border-bottom:0;padding-bottom:0;text-align:center}\n"
    "tbody th,tbody td{border-bottom:1px solid var(--grid)}\n"
    "th.text,td.text,tbody th{text-align:left}\n"
    "tbody th{font-weight:500;white-space:normal;overflow-wrap:anywhere;min-width:8rem;"
    "max-width:20rem}\n"
    "td.long{white-space:normal;min-width:18rem;max-width:34rem;overflow-wrap:anywhere}\n"
    "tr.section th{color:var(--muted);padding-top:1rem;max-width:none}\n"
    "tr.total th,tr.total td{font-weight:700;border-top:1px solid var(--muted)}\n"
    "td.no{color:var(--bad);font-weight:700}\n"
    ".notes{color:var(--muted);font-size:.85rem;margin:-.5rem 0 1rem}\n"
    "details{margin:1rem 0}\n"
    "summary{cursor:pointer;font-weight:600}\n"
    "pre,code{font-family:ui-monospace,'DejaVu Sans Mono',monospace}\n"
    "td.value{white-space:normal;text-align:left;overflow-wrap:anywhere;"
    "font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:.85em}\n"
    "footer{color:var(--muted);font-size:.85rem;margin-top:3rem;padding-bottom:3rem}\n"
    "@media screen and (max-width:40rem){dl.facts{grid-template-columns:1fr 1fr}"
    ".legends{grid-template-columns:1fr}header,nav,main,footer{padding:0 .9rem}}\n"
    "@media print{body{font-size:10pt}header,nav,main,footer{max-width:none;padding:0}"
    "nav{display:none}section{margin-top:1.25rem}.scroll{overflow:visible}"
    "table{font-size:8pt}thead{display:table-header-group}tr{break-inside:avoid}"
    "h2,h3,caption{break-after:avoid}"
    "details::details-content{content-visibility:visible;display:block;height:auto}}\n";

static void write_colours(FILE *page, bool dark)
{
    fprintf(page, "--paper:%s;--card:%s;--bad:%s", dark ? "#14171b" : "#ffffff",
            dark ? "#1c2126" : "#f6f7f9", dark ? "#ff9a85" : "#b3261e");
    for (int k = 0; k < CGM_PLOT_COLOURS; k++) {
        const cgm_plot_ink *ink = &cgm_plot_inks[k];
        fprintf(page, ";--%s:%s", ink->name, dark ? ink->dark : ink->light);
    }
}

void cgm_report_write_style(FILE *page)
{
    /* Paper is light, whatever the screen was. */
    fputs("<style>\n:root{color-scheme:light;", page);
    write_colours(page, false);
    fputs("}\n@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;", page);
    write_colours(page, true);
    fputs("}}\n", page);
    fputs(style, page);
    fputs("</style>\n", page);
}
