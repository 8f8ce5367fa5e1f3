package logs

import "bytes"

// SaysLost reports whether a line of another program says that lines were left
// out: rsyslogd's imuxsock ("begin to drop messages due to rate-limiting",
// "lost 5000 messages"), and journald ("Suppressed 5000 messages from
// slapd.service").
func SaysLost(line []byte) bool {
	switch {
	case bytes.Contains(line, []byte("rsyslogd")):
		return bytes.Contains(line, []byte("begin to drop messages")) || bytes.Contains(line, []byte(" lost ")) && bytes.Contains(line, []byte(" messages "))
	case bytes.Contains(line, []byte("systemd-journald")):
		return bytes.Contains(line, []byte("Suppressed ")) && bytes.Contains(line, []byte(" messages from "))
	}
	return false
}
