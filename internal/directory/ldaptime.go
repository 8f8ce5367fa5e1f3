package directory

import "time"

// generalizedTime reads RFC 4517, 3.3.13, in the forms that slapd and ns-slapd
// write.
func generalizedTime(s string) (time.Time, bool) {
	for _, layout := range []string{"20060102150405Z", "20060102150405.999999Z", "200601021504Z"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
