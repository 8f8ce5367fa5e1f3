package main

import (
	"bufio"
	"fmt"
	"strings"
	"time"
)

// sample is a page of a log: the lines of logins as the server writes them.
// NAME, CLIENT and TIME are another's each time, and so is NUMBER, of a
// connection.
type sample struct {
	format, time string
	head         string
	lines        []string
}

const winSubject = `

Subject:
	Security ID:		S-1-0-0
	Account Name:		-
	Account Domain:		-
	Logon ID:		0x0

`

// samples are of the formats whose real log is not repeated as a whole.
var samples = []sample{
	{"389ds", "02/Jan/2006:15:04:05.000000000 -0700", "\t389-Directory/2.3.1 B2023.001\n\tldap1:636 (/etc/dirsrv/slapd-one)\n\n", []string{
		"[TIME] conn=NUMBER fd=65 slot=65 SSL connection from CLIENT to 10.20.0.1",
		"[TIME] conn=NUMBER TLS1.3 128-bit AES-GCM",
		`[TIME] conn=NUMBER op=0 BIND dn="uid=NAME,ou=people,dc=example,dc=org" method=128 version=3`,
		`[TIME] conn=NUMBER op=0 RESULT err=0 tag=97 nentries=0 wtime=0.000110 optime=0.002871 etime=0.002981 dn="uid=NAME,ou=people,dc=example,dc=org"`,
		`[TIME] conn=NUMBER op=1 SRCH base="dc=example,dc=org" scope=2 filter="(uid=NAME)" attrs="cn mail"`,
		"[TIME] conn=NUMBER op=1 RESULT err=0 tag=101 nentries=1 wtime=0.000090 optime=0.000160 etime=0.000250",
		"[TIME] conn=NUMBER op=2 UNBIND",
		"[TIME] conn=NUMBER op=2 fd=65 Disconnect - Cleanly Closed Connection - U1",
	}},
	{"389ds-json", "2006-01-02T15:04:05.000000000 -0700", "", []string{
		`{"local_time":"TIME","operation":"CONNECTION","key":"1739213368-NUMBER","conn_id":NUMBER,"fd":64,"slot":64,"tls":true,"client_ip":"CLIENT","server_ip":"10.20.0.1"}`,
		`{"local_time":"TIME","operation":"BIND","key":"1739213368-NUMBER","conn_id":NUMBER,"op_id":0,"bind_dn":"uid=NAME,ou=people,dc=example,dc=org","version":3,"method":"128"}`,
		`{"local_time":"TIME","operation":"RESULT","key":"1739213368-NUMBER","conn_id":NUMBER,"op_id":0,"msg":"","tag":97,"err":0,"nentries":0,"wtime":"0.000110","optime":"0.002871","etime":"0.002981","bind_dn":"uid=NAME,ou=people,dc=example,dc=org"}`,
		`{"local_time":"TIME","operation":"SEARCH","key":"1739213368-NUMBER","conn_id":NUMBER,"op_id":1,"base_dn":"dc=example,dc=org","scope":2,"filter":"(uid=NAME)","attrs":["cn","mail"]}`,
		`{"local_time":"TIME","operation":"RESULT","key":"1739213368-NUMBER","conn_id":NUMBER,"op_id":1,"msg":"","tag":101,"err":0,"nentries":1}`,
		`{"local_time":"TIME","operation":"DISCONNECT","key":"1739213368-NUMBER","conn_id":NUMBER,"fd":64,"close_error":"Cleanly Closed Connection","close_reason":"U1"}`,
	}},
	{"samba", "2006-01-02T15:04:05.000000-0700", "", []string{
		`  JSON Authentication: {"timestamp": "TIME", "type": "Authentication", "Authentication": {"version": {"major": 1, "minor": 2}, "eventId": 4624, "logonId": "b8NUMBER", "logonType": 8, "status": "NT_STATUS_OK", "localAddress": "ipv4:10.20.0.1:636", "remoteAddress": "ipv4:CLIENT:50000", "serviceDescription": "LDAP", "authDescription": "simple bind", "clientDomain": "CORP", "clientAccount": "NAME", "workstation": "DC01", "becameAccount": "NAME", "becameDomain": "CORP", "becameSid": "S-1-5-21-1-2-3-NUMBER", "mappedAccount": "NAME", "mappedDomain": "CORP", "netlogonComputer": null, "netlogonTrustAccount": null, "passwordType": "Plaintext", "duration": 6863}}`,
		`  JSON Authentication: {"timestamp": "TIME", "type": "Authentication", "Authentication": {"version": {"major": 1, "minor": 2}, "eventId": 4625, "logonId": "0", "logonType": 3, "status": "NT_STATUS_WRONG_PASSWORD", "localAddress": "ipv4:10.20.0.1:445", "remoteAddress": "ipv4:CLIENT:50000", "serviceDescription": "SMB2", "authDescription": null, "clientDomain": "CORP", "clientAccount": "NAME", "workstation": "WIN81", "becameAccount": null, "becameDomain": null, "becameSid": null, "mappedAccount": "NAME", "mappedDomain": "CORP", "netlogonComputer": null, "netlogonTrustAccount": null, "passwordType": "NTLMv2", "duration": 5012}}`,
	}},
	{"windows-csv", "2006-01-02 15:04:05", `"Id","TimeCreated","MachineName","Message"` + "\n", []string{
		`"4624","TIME","dc01.corp.example.org","An account was successfully logged on.` + winSubject + `Logon Type:		3

New Logon:
	Security ID:		S-1-5-21-3457937927-2839227994-823803824-NUMBER
	Account Name:		NAME
	Account Domain:		CORP
	Logon ID:		0x8dNUMBER
	Logon GUID:		{00000000-0000-0000-0000-000000000000}

Process Information:
	Process ID:		0x0
	Process Name:		-

Network Information:
	Workstation Name:	WIN81
	Source Network Address:	CLIENT
	Source Port:		49254

Detailed Authentication Information:
	Logon Process:		Kerberos
	Authentication Package:	Kerberos
	Transited Services:	-
	Package Name (NTLM only):	-
	Key Length:		0
"`,
		`"4625","TIME","dc01.corp.example.org","An account failed to log on.` + winSubject + `Logon Type:			3

Account For Which Logon Failed:
	Security ID:		S-1-0-0
	Account Name:		NAME
	Account Domain:		CORP

Failure Information:
	Failure Reason:		Unknown user name or bad password.
	Status:			0xC000006D
	Sub Status:		0xC000006A

Network Information:
	Workstation Name:	WIN81
	Source Network Address:	CLIENT
	Source Port:		49254
"`,
	}},
	{"dovecot", time.RFC3339, "", []string{
		"TIME mail dovecot: imap-login: Login: user=<NAME>, method=PLAIN, rip=CLIENT, lip=10.20.0.1, mpid=NUMBER, TLS, session=<x7NUMBER>",
		"TIME mail dovecot: imap(NAME)<NUMBER><x7NUMBER>: Disconnected: Logged out in=80 out=660 deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0 body_bytes=0",
		"TIME mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<NAME>, method=PLAIN, rip=CLIENT, lip=10.20.0.1, TLS, session=<x8NUMBER>",
	}},
	{"postfix", time.RFC3339, "", []string{
		"TIME mail postfix/smtpd[NUMBER]: connect from unknown[CLIENT]",
		"TIME mail postfix/smtpd[NUMBER]: 4ABCNUMBER: client=unknown[CLIENT], sasl_method=PLAIN, sasl_username=NAME",
		"TIME mail postfix/qmgr[812]: 4ABCNUMBER: from=<NAME@example.org>, size=812, nrcpt=1 (queue active)",
		"TIME mail postfix/smtpd[NUMBER]: warning: unknown[CLIENT]: SASL PLAIN authentication failed: authentication failure, sasl_username=NAME",
		"TIME mail postfix/smtpd[NUMBER]: disconnect from unknown[CLIENT] ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8",
	}},
	{"sshd", time.RFC3339, "", []string{
		"TIME shell sshd[NUMBER]: Accepted password for NAME from CLIENT port 50705 ssh2",
		"TIME shell sshd[NUMBER]: pam_unix(sshd:session): session opened for user NAME(uid=1000) by (uid=0)",
		"TIME shell sshd[NUMBER]: Failed password for NAME from CLIENT port 50706 ssh2",
	}},
	{"proftpd", "2006-01-02 15:04:05,000", "", []string{
		"TIME ftp proftpd[NUMBER] 10.20.0.1 (CLIENT[CLIENT]): USER NAME: Login successful.",
		"TIME ftp proftpd[NUMBER] 10.20.0.1 (CLIENT[CLIENT]): USER NAME (Login failed): Incorrect password",
	}},
	{"vsftpd", "Mon Jan _2 15:04:05 2006", "", []string{
		`TIME [pid NUMBER] [NAME] OK LOGIN: Client "::ffff:CLIENT"`, `TIME [pid NUMBER] [NAME] FAIL LOGIN: Client "::ffff:CLIENT"`,
	}},
	{"freeradius", "Mon Jan _2 15:04:05 2006", "", []string{
		"TIME : Auth: (NUMBER) Login OK: [NAME] (from client here port 0 cli CLIENT)",
		"TIME : Auth: (NUMBER) Login incorrect (ldap: Bind credentials incorrect): [NAME] (from client here port 0 cli CLIENT)",
	}},
	{"esg", time.Stamp, "", []string{
		"TIME 10.20.0.1  inbound/pass1: unknown[CLIENT] 1704927410-NUMBER 1704927410 1704927410 RECV - - 2 83 535 Error: authentication failed [NAME@example.org]",
	}},
	{"vault-audit", time.RFC3339Nano, "", []string{
		`{"time":"TIME","type":"request","auth":{"token_type":"default"},"request":{"id":"NUMBER","operation":"update","mount_point":"auth/userpass/","mount_type":"userpass","path":"auth/userpass/login/NAME","data":{"password":"hmac-sha256:6d1d57a1e3bb4a3cb9a1d63d5a7c32b8f7cb1d7b4d9bb6f0b4bb2f6b5ea7c1d1"},"remote_address":"CLIENT","remote_port":50000}}`,
		`{"time":"TIME","type":"response","auth":{"client_token":"hmac-sha256:NUMBER","accessor":"hmac-sha256:aNUMBER","display_name":"userpass-NAME","policies":["default"],"metadata":{"username":"NAME"},"token_type":"service"},"request":{"id":"NUMBER","operation":"update","mount_point":"auth/userpass/","mount_type":"userpass","path":"auth/userpass/login/NAME","remote_address":"CLIENT","remote_port":50000},"response":{"auth":{"client_token":"hmac-sha256:NUMBER","display_name":"userpass-NAME"}}}`,
		`{"time":"TIME","type":"request","auth":{"client_token":"hmac-sha256:NUMBER","accessor":"hmac-sha256:aNUMBER","display_name":"userpass-NAME","policies":["default"],"token_type":"service"},"request":{"id":"rNUMBER","client_token":"hmac-sha256:NUMBER","operation":"read","mount_point":"secret/","mount_type":"kv","path":"secret/data/NAME","remote_address":"CLIENT","remote_port":50001}}`,
	}},
}

// write repeats the page until there are so many bytes.
func (s *sample) write(to *bufio.Writer, size int64) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	written, _ := to.WriteString(s.head)
	for n := 0; int64(written) < size; n++ {
		at = at.Add(12345600 * time.Nanosecond)
		text := strings.NewReplacer("NAME", nameOf(n/97, n), "CLIENT", hostOf(clientOf(n/97, n)), "NUMBER", fmt.Sprint(1_000+n), "TIME", at.Format(s.time))
		for _, line := range s.lines {
			k, _ := to.WriteString(text.Replace(line) + "\n")
			written += k
		}
	}
}
