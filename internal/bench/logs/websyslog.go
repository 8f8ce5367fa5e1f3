package main

import (
	"bufio"
	"fmt"
	"time"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/logs"
)

// The web syslog of an appliance, as docs/evidence.md shows how one is mapped:
// nine pages to a login, one of three of which is refused.
var webSyslog = logs.Mapping{
	Name: "text", Type: logs.Text, Program: "web", Form: event.Login,
	Patterns: []string{`\[(?P<address>[^]]*)\] (?P<outcome>LOGIN|FAILED_LOGIN) \((?P<account>[^)]*)\)`},
	Ignore:   []string{`\[[^]]*\] (PAGE|CHANGE|LOGOUT) .*`},
	Accepted: []string{"LOGIN"}, Refused: []string{"FAILED_LOGIN"},
}

// writeWeb writes lines of it until there are so many bytes.
func writeWeb(to *bufio.Writer, size int64) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for written, n := int64(0), 0; written < size; n++ {
		at = at.Add(1234500 * time.Nanosecond)
		text := fmt.Sprintf("PAGE /cgi-mod/index.cgi?user=%s&primary_tab=BASIC&secondary_tab=per_domain&locale=en_US", nameOf(n/97, n))
		if n%10 == 0 {
			text = fmt.Sprintf("%s (%s)", map[bool]string{true: "FAILED_LOGIN", false: "LOGIN"}[n%30 == 0], nameOf(n/97, n))
		}
		k, _ := fmt.Fprintf(to, "%s esg web: [%s] %s\n", at.Format("2006-01-02T15:04:05.000000-07:00"), hostOf(clientOf(n/97, n)), text)
		written += int64(k)
	}
}
