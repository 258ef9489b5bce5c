/* Which bytes of a foreign text may reach a terminal. */
#include <string.h>

#include "cgm/text.h"
#include "harness.h"

static void test_printable_characters(void **state)
{
    cgm_comm *comm = *state;
    const struct {
        const char *text;
        size_t bytes;
    } cases[] = {
        {"a", 1},
        {" ", 1},
        {"\t", 0},
        {"\x1b[2J", 0},
        {"\x7f", 0},
        {"é", 2},
        {"β", 2},
        {"…", 3},
        {"\U0001f600", 4},
        {"\x9b", 0},     /* a control character by itself, in Latin-1 */
        {"\xc2\x9b", 0}, /* the same in UTF-8 */
        {"\xe2\x80", 0},
        {"\xc0\xaf", 0}, /* cut short; two bytes for '/' */
        {"\xff\xfe", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xe0\x80\xaf", 0},
        {"\xf0\x80\x80\xaf", 0}, /* three and four bytes for '/' */
        {"\xe0\xa0\x80", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xed\xa0\x80", 0},
        {"\xed\x9f\xbf", 3}, /* half a UTF-16 pair */
        {"\xef\xbf\xbf", 0},
        {"\xef\xbf\xbd", 3}, /* no character, the one for it */
        {"\xf4\x90\x80\x80", 0},
        {"\xf4\x8f\xbf\xbd", 4},
        {"", 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        assert_all_ranks(comm, cgm_text_printable(cases[k].text) == cases[k].bytes);
    }
}

/* An error line: what is not to be printed becomes '?', byte by byte, and the rest stays. */
static void test_error_line(void **state)
{
    cgm_comm *comm = *state;
    cgm_fail(comm, CGM_ERR_INPUT, "party '%s'", "Zürich\x1b[1m\x9b\n");
    assert_all_ranks(comm, strcmp(comm->error.message, "party 'Zürich?[1m?\?'") == 0);
    comm->error = (cgm_error){0};
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printable_characters),
        cmocka_unit_test(test_error_line),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
