/* Taken in here with other names, so that both scanners are in one program. */
#define SCAN_PORTABLE 1
#define scan_batch portable_scan_batch
#define scan_event portable_scan_event
#define scan_field_is portable_scan_field_is
#define scan_unescape portable_scan_unescape
#define scan_init portable_scan_init
#define scan_clear portable_scan_clear
#define scan_fail portable_scan_fail
#define scan_string_rest portable_scan_string_rest
#define scan_space_rest portable_scan_space_rest
#define scan_value portable_scan_value
#define scan_name_is portable_scan_name_is

#include "contract/scan.c"
#include "contract/scan_string.c"
#include "contract/scan_value.c"
