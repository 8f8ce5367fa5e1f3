package logs

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall/internal/evidence/event"
)

// Whatever a log holds, a parser ends, keeps to what lines say, and points at
// lines that are there.
func fuzz(f *testing.F, format string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	is, err := Named(format)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) { through(t, is, text) })
}

func through(t *testing.T, is Format, text []byte) {
	lines := bytes.Split(text, []byte("\n"))
	check := func(p event.Place) {
		if p.File != "f" || p.Line < 1 || p.Line > len(lines) {
			t.Fatalf("points at %+v of %d lines", p, len(lines))
		}
	}
	var inTurn, ahead []any
	parser := func(to *[]any) Parser {
		return is.New(Options{Year: 2026, Zone: time.UTC, Quiet: time.Hour, Event: func(e event.Event) {
			check(e.Place)
			if len(e.Account) > maxName+1 || e.Outcome == "" {
				t.Fatalf("%+v", e)
			}
			if e.Account == "" && e.Outcome == event.Accepted && e.Login && e.Form == event.DN {
				t.Fatalf("let in, and nobody: %+v", e)
			}
			*to = append(*to, e)
		}, Note: func(n event.Note, at event.Place, _ string) {
			if n == "" {
				t.Fatal("a note of nothing")
			}
			check(at)
			*to = append(*to, n, at)
		}})
	}
	said := func(to *[]any, p Parser, v Verdict, at time.Time, err error) {
		if err != nil && !strings.Contains(err.Error(), "its time has no") && !strings.Contains(err.Error(), "in English") {
			t.Fatal(err)
		}
		*to = append(*to, v, at, p.Server())
	}
	p := parser(&inTurn)
	for i, line := range lines {
		v, at, err := p.Line(line, event.Place{File: "f", Line: i + 1})
		said(&inTurn, p, v, at, err)
		if is.Recognises(line) {
			is.Hostless(line)
		}
		Recognise(line)
	}
	p.Close()
	second, ok := parser(&ahead).(Ahead)
	if !ok {
		return
	}
	cuts := second.Cuts()
	for i, line := range lines {
		if i%3 == 0 { // a batch, taken apart before any of its lines is read
			cuts.Reset()
			for _, line := range lines[i:min(i+3, len(lines))] {
				cuts.Add(line)
			}
		}
		v, at, err := second.Cut(cuts, i%3, line, event.Place{File: "f", Line: i + 1})
		said(&ahead, second, v, at, err)
	}
	second.Close()
	if !reflect.DeepEqual(inTurn, ahead) {
		t.Fatalf("taken apart before their turn, lines say something else:\n%+v\n%+v", inTurn, ahead)
	}
}

func FuzzOpenLDAP(f *testing.F) {
	fuzz(f, "openldap",
		"6b0c73fb.01206613 0x7f13635fe6c0 conn=1000 fd=12 ACCEPT from IP=127.0.0.1:52592 (IP=127.0.0.1:389)\n6b0c73fb.01218723 0x7f13635fe6c0 conn=1000 op=0 BIND dn=\"cn=a,dc=b\" method=128\n6b0c73fb.012562b4 0x7f13635fe6c0 conn=1000 op=0 RESULT tag=97 err=49 qtime=0.000003 etime=0.000294 text=\n",
		"Nov 29 18:50:35 h slapd[7]: conn=1 op=0 BIND authcid=\"u\" authzid=\"u\"\n<38>2026-11-29T18:50:35Z h slapd: conn=1 op=0 RESULT tag=97 err=0 text=\n",
		"Dec 31 23:59:59 h slapd[7]: conn=1 op=0 do_bind: invalid dn (x)\nJan  1 00:00:01 h slapd[7]: slapd starting")
}

func FuzzDS389(f *testing.F) {
	fuzz(f, "389ds", "\t389-Directory/2.3.1 B1\n\th:1 (x)\n\n[29/Nov/2026:18:50:38.667316732 +0000] conn=6 fd=65 slot=65 SSL connection from ::1 to ::1\n[29/Nov/2026:18:50:38.667867252 +0000] conn=6 op=0 BIND dn=\"\" method=sasl version=3 mech=PLAIN\n[29/Nov/2026:18:50:38 +0000] conn=6 op=0 RESULT err=0 tag=97 nentries=0 dn=\"cn=a\"\n")
}

func FuzzDS389JSON(f *testing.F) {
	fuzz(f, "389ds-json", `{"local_time":"2025-02-10T13:49:28.202404005 -0500","operation":"CONNECTION","key":"1739213368-1","conn_id":1,"fd":64,"slot":64,"tls":false,"client_ip":"192.0.2.1","server_ip":"192.0.2.2"}
{"local_time":"2025-02-10T13:49:28.202404005 -0500","operation":"BIND","key":"1739213368-1","conn_id":1,"op_id":0,"bind_dn":"cn=Directory Manager","version":3,"method":"128"}
{"local_time":"2025-02-10T13:49:28.503395725 -0500","operation":"RESULT","key":"1739213368-1","conn_id":1,"op_id":0,"tag":97,"err":0}`)
}

func FuzzVaultAudit(f *testing.F) {
	fuzz(f, "vault-audit", `{"time":"2026-11-29T18:50:35Z","type":"request","auth":{"token_type":"default"},"request":{"id":"1","operation":"update","path":"auth/userpass/login/a","mount_point":"auth/userpass/","data":{"password":"hmac-sha256:00"},"remote_address":"127.0.0.1"}}
{"time":"2026-11-29T18:50:35Z","type":"response","auth":{"client_token":"hmac-sha256:1","display_name":"userpass-a","metadata":{"username":"a"}},"request":{"id":"1","client_token":"hmac-sha256:2","path":"auth/userpass/login/a","remote_address":"127.0.0.1"}}
{"time":"2026-11-29T18:50:36Z","type":"request","request":{"id":"2","path":"sys/audit/test"}}`)
}

func FuzzDovecot(f *testing.F) {
	fuzz(f, "dovecot", "Nov 29 22:10:24 imap-login: Info: Login: user=<alice>, method=PLAIN, rip=127.0.0.2, lip=127.0.0.1, TLS, session=<u5>\nNov 29 22:10:26 h dovecot[1]: pop3-login: Disconnected: Aborted login by logging out (auth failed, 2 attempts in 0 secs): user=<No body] x=<y>, rip=1.2.3.4, ?>, method=PLAIN, rip=127.0.0.3, lip=127.0.0.1, TLS, session=<5d>\n")
}

func FuzzPostfix(f *testing.F) {
	fuzz(f, "postfix", "Nov 29 22:10:28 localhost postfix/smtpd[1]: connect from unknown[127.0.0.2]\nNov 29 22:10:28 localhost postfix/smtpd[1]: 4ABC: client=unknown[127.0.0.2], sasl_method=PLAIN, sasl_username=alice\nNov 29 22:10:29 localhost postfix/smtpd[2]: warning: unknown[::1]: SASL PLAIN authentication failed: x, sasl_username=bob\nNov 29 22:10:29 localhost postfix/smtpd[2]: disconnect from unknown[127.0.0.3] ehlo=2 starttls=1 auth=1 unknown=0/1 commands=3/5")
}

func FuzzSSHD(f *testing.F) {
	fuzz(f, "sshd", "Nov 29 22:10:28 h sshd[1]: Accepted password for alice from 127.0.0.2 port 50705 ssh2\n2026-11-29T22:10:28Z h sshd[1]: Failed keyboard-interactive/pam for invalid user bob from 9.9.9.9 port 5 ssh2 from 127.0.0.3 port 57721 ssh2\nNov 29 22:10:28 h sshd[1]: message repeated 3 times: [ Failed password for bob from 127.0.0.3 port 5 ssh2]\n<38>1 2022-10-12T10:00:01Z h sshd 9 - [a x=\"]\"] Accepted password for a from ::1 port 5 ssh2\nWed 2022-10-12 10:00:01 CEST h sshd[9]: [ID 7 auth.info] Accepted password for a from ::1 port 5 ssh2\n1665568801.000000 h sshd[9]: Failed password for a from ::1 port 5 ssh2\n")
}

func FuzzProFTPD(f *testing.F) {
	fuzz(f, "proftpd", "2026-11-29 22:10:32,362 vm proftpd[4303] 127.0.0.1 (127.0.0.3[127.0.0.3]): USER bob (Login failed): Incorrect password\nNov 29 22:10:32 vm proftpd[4305]: 127.0.0.1 (h[127.0.0.3]): USER x: no such user found from 127.0.0.3 [127.0.0.3] to 127.0.0.1:20963\n2026-11-29 22:10:32,362 vm proftpd[4303] 127.0.0.1 (127.0.0.3[127.0.0.3]): USER bob: Login successful.")
}

func FuzzVSFTPD(f *testing.F) {
	fuzz(f, "vsftpd", "Sun Nov 29 22:10:32 2026 [pid 2] [alice] OK LOGIN: Client \"::ffff:192.0.2.1\"\nNov 29 22:10:32 h vsftpd[2]: [b] FAIL LOGIN: Client \"x\"")
}

func FuzzFreeRADIUS(f *testing.F) {
	fuzz(f, "freeradius", "Sun Nov 29 22:10:32 2026 : Auth: (2) Login incorrect (ldap: Bind credentials incorrect): [bob] (from client here port 0 cli 127.0.0.3)\nNov 29 22:10:32 h radiusd[2]: (1) Login OK: [host/a/b] (from client here port 0 cli ::1)")
}

func FuzzSamba(f *testing.F) {
	fuzz(f, "samba", `  JSON Authentication: {"timestamp": "2022-05-20T08:38:09.967130+0200", "type": "Authentication", "Authentication": {"eventId": 4624, "status": "NT_STATUS_OK", "remoteAddress": "ipv4:192.0.2.1:5", "authDescription": "simple bind", "clientAccount": "CN=svc,DC=x", "becameAccount": "svc", "becameSid": "S-1-5-21-1"}}
{"timestamp": "2026-11-29T22:24:17.523238+0000", "type": "passwordChange", "passwordChange": {"eventId": 4724, "status": "Success", "remoteAddress": "ipv4:127.0.0.1:33532", "userSid": "S-1-5-21-1", "dn": "CN=x,DC=x", "action": "Reset"}}
{"timestamp": "2026-11-29T22:24:17.523238+0000", "type": "groupChange", "groupChange": {"eventId": 4728, "status": "Success", "action": "Added", "remoteAddress": "ipv4:127.0.0.1:33532", "userSid": "S-1-5-21-1", "group": "CN=g,DC=x", "user": "CN=x,DC=x"}}`)
}

func FuzzWindowsXML(f *testing.F) {
	seeds := []string{"<?xml version=\"1.0\"?>\n<Events>\n</Events>"}
	for i, c := range winCases() {
		seeds = append(seeds, c.asXML(i), "<?xml version=\"1.0\"?><Events>\n"+strings.ReplaceAll(c.asXML(i), "><", ">\n<"))
	}
	fuzz(f, "windows-xml", seeds...)
}

func FuzzWindowsCSV(f *testing.F) {
	fuzz(f, "windows-csv", "Id,TimeCreated,Message\n4625,2026-11-29 22:10:32,\"x\nAccount For Which Logon Failed:\n\tAccount Name:\t\tsvc\nFailure Information:\n\tSub Status:\t\t0xC000006A\n\"\n", "Id;TimeCreated;TargetUserName\n4624;29.11.2026 22:10:32;svc")
}

func FuzzESG(f *testing.F) {
	fuzz(f, "esg", "Jan 11 06:58:03 10.10.10.111  inbound/pass1: unknown[192.0.2.1] 1704927410-1 1704927410 1704927410 RECV - - 2 83 535 Error: authentication failed [svc@example.org]\nJan 11 06:58:05 esg scan[9390]: m[192.0.2.3] 1-R 1 2 SCAN - a b - 7 61 - SZ:34602 SUBJ:x")
}
