/* The comparison with jansson once more, for the scanner as machines without SSE2 have it. The
 * sources are taken in here, so the library's own scanner is not linked. */
#define SCAN_PORTABLE 1
#include "contract/scan.c"
#include "contract/scan_string.c"
#include "contract/scan_value.c"

#include "check_scan_jansson.c"
