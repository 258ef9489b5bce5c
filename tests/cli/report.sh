# A result shown again: tables, JSON and a page, of sound results, of foreign ones and of damaged
# ones, with gnuplot, without it, and with one that is none.
# timeout: 240
# without: valgrind
# checks: 141
. "$(dirname "$0")/lib.sh"

make_result=$BUILD_DIRECTORY/tests/make_result

# alone ARGUMENT...: as run, without mpirun, in the environment that is there.
alone()
{
    listing >"$logs/before"
    command_line="cd $work && $cgm ${*@Q}"
    code=0
    # shellcheck disable=SC2086
    $WRAPPER "$cgm" "$@" >"$out" 2>"$err" </dev/null || code=$?
}

# The tables in what a run or a report printed, without the times.
tables()
{
    awk '/^lengthscale +[0-9]/ { shown = 1 } /^stage / { exit } shown' "$1"
}

json()
{
    jq -e . "$1" >"$logs/json"
}

run 1 simulate --out data.h5 --parties 5 --points 60 --candidates 600 --features 3 --seed 4
accepted "simulate"
configure input.parties=data.h5 'sampling.inv_temp=4, 1, inf' output.party_dir=own
run 2 run run.ini
accepted "a run"
cp "$out" said

# ---- tables ----

alone report results.h5
accepted "report without mpirun" '^made by  *cgm '
check "it tells when, how and from what" test "$(head -n 6 "$out" |
    grep -cE '^(started|finished|command|ranks|input) ')" -eq 5
for ranks in 1 3; do
    run "$ranks" report results.h5
    accepted "report at $ranks ranks"
    check "report at $ranks ranks speaks once" test "$(grep -c '^made by' "$out")" -eq 1
done
run 1 run run.ini --output.file=one.h5 --output.party_dir=none --sampling.inv_temp=1
accepted "a run at one beta"
cp "$out" said
alone report one.h5
tables "$out" >again
check "the tables are those of the run" test -s again
check "each line of them" diff <(tables said) again
check "no line is longer than 100 columns" test "$(wc -L <"$out")" -le 100

# ---- measures, JSON ----

"$make_result" measures results.h5
alone report results.h5
accepted "report of measures" '^mmd2 +before +after +after +after$'
check "a correlation with alpha" grep -Eq '^corr\. with alpha +-?0\.[0-9]{4}' "$out"
check "correlations at every beta and over them" grep -Eq '^kl_after( +-?0\.[0-9]{4}){5}$' "$out"
check "a missing number" grep -Eq '^party1 +- +- +- +-$' "$out"
check "a measure without numbers has no table" test "$(grep -c '^privacy_close' "$out")" -eq 0
check "betas in order" grep -Eq 'beta 1 +beta 4 +beta inf' "$out"
check "no line of these is longer than 100 columns" test "$(wc -L <"$out")" -le 100

alone report results.h5 --json
accepted "report as JSON"
cp "$out" report.json
check "it parses" json report.json

# same_numbers OBJECT FILTER: the numbers of the file, bit by bit.
same_numbers()
{
    diff <("$make_result" numbers results.h5 "$1" | jq .) <(jq "$2" report.json)
}
check "phi" same_numbers /shapley/phi '.parties[].phi'
check "alpha" same_numbers /shapley/alpha '.parties[].alpha'
check "r" same_numbers /reward/r '.parties[].r'
check "v" same_numbers /values/single '.parties[].v'
check "ceilings" same_numbers /values/ceiling '.parties[].ceiling'
check "points" same_numbers /parties/n_points '.parties[].points'
check "v* and rho" test "$(same_numbers /reward@v_star .reward.v_star)$(same_numbers /reward@rho \
    .reward.rho)" = ""
check "lengthscale" same_numbers /kernel/lengthscale '.kernel.lengthscale[]'
check "measures" same_numbers /metrics/beta_4/mmd2_after '.rewards[1].measures.mmd2_after[]'
check "missing measures are null" same_numbers /metrics/beta_1/kl_before \
    '.rewards[0].measures.kl_before[]'
check "correlations" same_numbers /metrics/beta_inf@correlation_mmd2_after \
    '.rewards[2].correlation_with_alpha.mmd2_after'
check "their mean" same_numbers /metrics@mean_correlation_kl_after \
    '.mean_correlation_with_alpha.kl_after'
check "draws" same_numbers /sampling/beta_inf/draws '.rewards[2].draws[]'
check "violations" same_numbers /incentives/violation '.incentives[].violation'
check "seconds" same_numbers /timings/max '.timings[].max'
check "the picture" same_numbers /picture/counts '.picture.counts[][]'
check "an infinite beta" test "$(jq -c '[.rewards[].beta]' report.json)" = '[1,4,"inf"]'
# v that was reached is the last value of a reward.
"$make_result" numbers results.h5 /sampling/beta_1/values >values
mapfile -t ends < <("$make_result" numbers results.h5 /sampling/beta_1/offsets | tail -n +2)
check "values reached" diff <(for end in "${ends[@]}"; do sed -n "${end}p" values; done | jq .) \
    <(jq '.rewards[0].v[]' report.json)
check "options" test "$(jq -r '.options["sampling.inv_temp"]' report.json)" = "4, 1, inf"

# ---- the page ----

# page_holds FILE XPATH: at least one such element.
page_holds()
{
    [[ $(xmllint --xpath "count($2)" "$1") != 0 ]]
}
# sound_page FILE: well-formed, with nothing that runs or that comes from elsewhere.
sound_page()
{
    xmllint --noout "$1" &&
        ! page_holds "$1" "//*[local-name()='script' or local-name()='link' or local-name()='img'
            or local-name()='image' or local-name()='iframe' or local-name()='object'
            or local-name()='foreignObject' or local-name()='base']" &&
        ! page_holds "$1" "//@*[starts-with(local-name(), 'on') or local-name()='src']" &&
        ! page_holds "$1" "//@*[local-name()='href'][not(starts-with(., '#'))]" &&
        ! page_holds "$1" "//@style" &&
        ! grep -Eq '@import|url\(' "$1" &&
        [[ -z $(xmllint --xpath "//@id" "$1" | sort | uniq -d) ]]
}
# a_figure FILE NAME: with a title, a description and something drawn.
a_figure()
{
    local figure="//*[local-name()='figure'][@id='$2']/*[local-name()='svg'][@role='img']"
    page_holds "$1" "$figure/*[local-name()='title'][@id='$2-title'][string-length(.) > 9]" &&
        page_holds "$1" "$figure/*[local-name()='desc'][string-length(.) > 19]" &&
        page_holds "$1" "${figure}[@aria-labelledby='$2-title $2-description']" &&
        page_holds "$1" "$figure//*[local-name()='$3']"
}

(umask 0 && "$cgm" report results.h5 --html page.html >"$out" 2>"$err") || code=$?
command_line="$cgm report results.h5 --html page.html"
accepted "a page" '^page +page\.html, 7 figures$'
check "it is sound" sound_page page.html
check "it may be read by owner and group" test "$(stat -c %a page.html)" = 640
for figure in rewards:use shapley:polygon draws:path points:polygon points-last:use measures:use \
    stages:polygon; do
    check "figure ${figure%:*}" a_figure page.html "figure-${figure%:*}" "${figure#*:}"
done
check "as many figures as it says" test "$(grep -c '<figure ' page.html)" -eq 7
fixed='\(fill\|stroke\|color\)="\(rgb\|#\|black\|white\)'
check "colours follow the page" test "$(grep -c "$fixed" page.html)" -eq 0
check "a language" page_holds page.html "/*[@lang='en']"
check "no table without a caption" test "$(xmllint --xpath \
    "count(//*[local-name()='table'][not(*[1][local-name()='caption'])])" page.html)" = 0
check "no heading cell without a scope" test "$(xmllint --xpath \
    "count(//*[local-name()='th'][not(@scope)])" page.html)" = 0
check "phi of a party" page_holds page.html \
    "//*[local-name()='td'][.='$(printf %.6g "$(jq '.parties[1].phi' report.json)")']"
check "the certificate" page_holds page.html "//*[local-name()='th'][.='individual_rationality']"
check "options" page_holds page.html "//*[local-name()='th'][.='kernel.lengthscale']"

alone report results.h5 --html page.html
refused "an existing page" 6 "page\.html' exists.*--html"
alone report results.h5 --html nowhere/page.html
refused "a page into no directory" 6 'nowhere/page\.html.*No such file'
alone report results.h5 --json --html both.html
accepted "a page and JSON"
check "JSON alone is on stdout" json "$out"
check "and the page is there" sound_page both.html

# Without gnuplot, with one that fails, and with some that draw no figure.
mkdir bin
write_gnuplot()
{
    printf '#!/bin/bash\n%s\n' "$1" >bin/gnuplot
    chmod +x bin/gnuplot
}
page_with()
{
    local name=$1 path=$2
    code=0
    (
        export PATH=$path
        alone report results.h5 --html "$name.html"
        exit "$code"
    ) || code=$?
    command_line="PATH=$path $cgm report results.h5 --html $name.html"
}
# All programs that there are but for one.
mkdir "$logs/bin"
IFS=: read -ra directories <<<"$PATH"
for directory in "${directories[@]}"; do
    find "$directory" -maxdepth 1 \( -type f -o -type l \) ! -name 'gnuplot*' -print0 2>/dev/null |
        xargs -0 -r ln -s -t "$logs/bin" 2>/dev/null || true
done
page_with without "$logs/bin"
accepted "a page without gnuplot" '0 figures; 7 are missing, as gnuplot is not installed'
check "it is sound without figures" sound_page without.html
check "it says so" grep -q 'id="no-figures".*7 figures are missing.*gnuplot-nox' without.html
check "its tables are there" page_holds without.html "//*[local-name()='td'][.='1.000000']"
write_gnuplot 'exit 1'
page_with failing "$work/bin:$PATH"
accepted "a page with a gnuplot that fails" '7 are missing, as gnuplot could not draw them'
check "it is sound" sound_page failing.html
write_gnuplot "echo '<svg viewBox=\"0 0 1 1\"><script>alert(1)</script></svg>'"
page_with script "$work/bin:$PATH"
accepted "a figure with a script is none" '0 figures; 7 are missing'
check "its page is sound" sound_page script.html
foreign='<g onload="x" id="y"><text>&bad;</text></g>'
write_gnuplot "echo '<svg viewBox=\"0 0 1 1\">$foreign</svg>'"
page_with entity "$work/bin:$PATH"
accepted "a figure with a foreign entity is none" '0 figures; 7 are missing'
check "its page is sound" sound_page entity.html
write_gnuplot "echo '<svg viewBox=\"0 0 1 1\"><g><text>cut'"
page_with cut "$work/bin:$PATH"
accepted "a figure that is cut off is none" '0 figures; 7 are missing'
check "its page is sound" sound_page cut.html

# ---- other shapes ----

run 1 simulate --out many.h5 --parties 60 --points 20 --candidates 300 --features 70 --seed 2
accepted "simulate many"
run 2 run run.ini --input.parties=many.h5 --output.file=many.out.h5 --output.party_dir=none \
    --kernel.lengthscale=3 --sampling.inv_temp=2
accepted "a run of many parties"
"$make_result" measures many.out.h5
alone report many.out.h5 --html many.html
accepted "a page of many parties" '^page +many\.html, 6 figures$'
check "it is sound" sound_page many.html
check "quantiles in place of rows" page_holds many.html \
    "//*[local-name()='th'][.='over all 60 parties, each column by itself:']"
check "its axes are two features" grep -Eq 'Axes: feature [0-9]+ and feature [0-9]+, those of' \
    many.html
"$make_input" one_feature flat.h5
"$make_input" least least.h5
"$make_input" far_pool far.h5
for name in flat least far; do
    run 1 run run.ini "--input.parties=$name.h5" "--output.file=$name.out.h5" \
        --output.party_dir=none
    accepted "a run of $name"
    alone report "$name.out.h5" --html "$name.html"
    accepted "a page of $name" 'page.*[0-9] figures$'
    check "it is sound" sound_page "$name.html"
    alone report "$name.out.h5" --json
    accepted "JSON of $name"
    check "it parses" json "$out"
done

# The picture, and all else, is the same at any number of ranks.
run 1 run run.ini --output.file=1.h5 --output.party_dir=none
accepted "the run at one rank"
for ranks in 3 5; do
    run "$ranks" run run.ini "--output.file=$ranks.h5" --output.party_dir=none
    accepted "the run at $ranks ranks"
    run 1 diff 1.h5 "$ranks.h5"
    accepted "the same at $ranks ranks" 'the same results'
done

# ---- texts that mean something elsewhere ----

cp results.h5 strange.h5
"$make_result" strange strange.h5
alone report strange.h5 --html strange.html
accepted "a page of strange names" '^page +strange\.html, 7 figures$'
check "it is sound" sound_page strange.html
check "a name is a name" test "$(xmllint --xpath \
    "string(//*[local-name()='th']/*[starts-with(., '<script')])" strange.html)" = \
    "<script>alert(1)</script><b title='x' & \"y\">&amp;"
check "and in a figure, too" page_holds strange.html \
    "//*[local-name()='text'][starts-with(., '<script>alert(1)</s')]"
check "no bytes that are no text" iconv -f utf-8 -t utf-8 -o "$logs/text" strange.html
check "nothing was run" test ! -e touched
alone report strange.h5 --json
accepted "JSON of strange names"
check "it parses" json "$out"
check "a name is that name" test "$(jq -r '.parties[2].name' "$out")" = \
    "<script>alert(1)</script><b title='x' & \"y\">&amp;"
controls=$'[\x01-\x09\x0b-\x1f\x7f]'
check "control characters are escaped" test "$(LC_ALL=C grep -c "$controls" "$out")" -eq 0
alone report strange.h5
accepted "tables of strange names"
check "no control characters reach the terminal" test \
    "$(LC_ALL=C grep -c $'[\x01-\x09\x0b-\x1f\x7f]' "$out")" -eq 0

# ---- what is no result, or a damaged one ----

run 1 report --help
accepted "report --help" '--html'
alone report
refused "report of nothing" 2 'report RESULT\.h5'
alone report results.h5 one.h5
refused "report of two files" 2 'one result file'
alone report results.h5 --htm page.html
refused "report: typo in an option" 2 'did you mean --html'
alone report results.h5 --jsn
refused "report: another typo" 2 'did you mean --json'
alone report results.h5 --json=maybe
refused "report: --json is a flag" 2 '--json.*maybe'
run 3 report none.h5
refused "a missing file" 3 'none\.h5'
alone report run.ini
refused "a file that is no HDF5" 3 'run\.ini'
run 3 report data.h5 --html new.html
refused "a file that is no result" 3 "'data\.h5' is not a result of cgm"
alone report own/party1.h5
refused "a party's own file" 3 'own/party1\.h5.*not a party.s own file'
head -c 20000 results.h5 >cut.h5
alone report cut.h5 --html new.html
refused "a file that is cut off" 3 'cut\.h5'
for damage in "/shapley/phi shorten" "/shapley/phi remove" "/parties/name remove" \
    "/parties/n_points negate" \
    "/sampling/beta_1/offsets negate" "/sampling/beta_1/offsets shorten" \
    "/sampling/beta_4/values remove" "/sampling/beta_1/data flatten" "/picture/counts flatten" \
    "/picture/counts negate" "/picture/party negate" "/picture/low remove" \
    "/metrics/beta_1/mmd2_after shorten" "/timings/max shorten" "/incentives/holds shorten" \
    "/warnings/code remove"; do
    cp results.h5 damaged.h5
    # shellcheck disable=SC2086
    "$make_result" damage damaged.h5 $damage
    alone report damaged.h5 --html new.html
    refused "damaged: $damage" 3 "damaged\.h5"
done
cp results.h5 damaged.h5
"$make_result" damage damaged.h5 /picture/axes remove
"$make_result" damage damaged.h5 /reward/r shorten
run 3 report damaged.h5 --json
refused "damaged, at three ranks" 3 "damaged\.h5.*/reward/r.*damaged"

finish
