package main

import (
	"bufio"
	"fmt"
	"strings"
	"time"
)

// The Security log of a domain controller: events with all the data that
// Microsoft documents of each, in the order and with the values of its examples
// (https://learn.microsoft.com/windows/security/threat-protection/auditing/),
// as often as such a log has them.
var winKinds = []struct {
	id, task, version int
	often             int
	data              []string // name=value; NAME, CLIENT and NUMBER are another's each time
}{
	{4624, 12544, 2, 6, []string{"SubjectUserSid=S-1-0-0", "SubjectUserName=-", "SubjectDomainName=-", "SubjectLogonId=0x0", "TargetUserSid=S-1-5-21-3457937927-2839227994-823803824-NUMBER", "TargetUserName=NAME", "TargetDomainName=CORP",
		"TargetLogonId=0x8dNUMBER", "LogonType=3", "LogonProcessName=Kerberos", "AuthenticationPackageName=Kerberos", "WorkstationName=-", "LogonGuid={00000000-0000-0000-0000-0000000NUMBER}", "TransmittedServices=-",
		"LmPackageName=-", "KeyLength=0", "ProcessId=0x0", "ProcessName=-", "IpAddress=CLIENT", "IpPort=49254", "ImpersonationLevel=%%1833", "RestrictedAdminMode=-", "TargetOutboundUserName=-", "TargetOutboundDomainName=-", "VirtualAccount=%%1843",
		"TargetLinkedLogonId=0x0", "ElevatedToken=%%1842"}},
	{4634, 12545, 0, 6, []string{"TargetUserSid=S-1-5-21-3457937927-2839227994-823803824-NUMBER", "TargetUserName=NAME", "TargetDomainName=CORP", "TargetLogonId=0x8dNUMBER", "LogonType=3"}},
	{4672, 12548, 0, 3, []string{"SubjectUserSid=S-1-5-21-3457937927-2839227994-823803824-NUMBER", "SubjectUserName=NAME", "SubjectDomainName=CORP", "SubjectLogonId=0x8dNUMBER",
		"PrivilegeList=SeSecurityPrivilege\n\t\t\tSeBackupPrivilege\n\t\t\tSeRestorePrivilege\n\t\t\tSeTakeOwnershipPrivilege\n\t\t\tSeDebugPrivilege\n\t\t\tSeSystemEnvironmentPrivilege\n\t\t\tSeLoadDriverPrivilege\n\t\t\tSeImpersonatePrivilege"}},
	{4769, 14337, 0, 4, []string{"TargetUserName=NAME@CORP.EXAMPLE.ORG", "TargetDomainName=CORP.EXAMPLE.ORG", "ServiceName=WIN2008R2$", "ServiceSid=S-1-5-21-3457937927-2839227994-823803824-2102", "TicketOptions=0x40810000", "TicketEncryptionType=0x12",
		"IpAddress=::ffff:CLIENT", "IpPort=49272", "Status=0x0", "LogonGuid={F85C455E-C66E-205C-6B39-F6C60A7FE453}", "TransmittedServices=-"}},
	{4768, 14339, 0, 2, []string{"TargetUserName=NAME", "TargetDomainName=CORP.EXAMPLE.ORG", "TargetSid=S-1-5-21-3457937927-2839227994-823803824-NUMBER", "ServiceName=krbtgt", "ServiceSid=S-1-5-21-3457937927-2839227994-823803824-502",
		"TicketOptions=0x40810010", "Status=0x0", "TicketEncryptionType=0x12", "PreAuthType=15", "IpAddress=::ffff:CLIENT", "IpPort=49273", "CertIssuerName=", "CertSerialNumber=", "CertThumbprint="}},
	{4776, 14336, 0, 1, []string{"PackageName=MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName=NAME", "Workstation=WIN81", "Status=0x0"}},
	{4771, 14339, 0, 1, []string{"TargetUserName=NAME", "TargetSid=S-1-5-21-3457937927-2839227994-823803824-NUMBER", "ServiceName=krbtgt/CORP", "TicketOptions=0x40810010", "Status=0x18", "PreAuthType=2", "IpAddress=::ffff:CLIENT", "IpPort=49254",
		"CertIssuerName=", "CertSerialNumber=", "CertThumbprint="}},
	{4625, 12546, 0, 1, []string{"SubjectUserSid=S-1-5-18", "SubjectUserName=DC01$", "SubjectDomainName=CORP", "SubjectLogonId=0x3e7", "TargetUserSid=S-1-0-0", "TargetUserName=NAME", "TargetDomainName=CORP", "Status=0xc000006d", "FailureReason=%%2313",
		"SubStatus=0xc000006a", "LogonType=3", "LogonProcessName=NtLmSsp", "AuthenticationPackageName=NTLM", "WorkstationName=WIN81", "TransmittedServices=-", "LmPackageName=-", "KeyLength=0", "ProcessId=0x0", "ProcessName=-", "IpAddress=CLIENT", "IpPort=49254"}},
}

// winTemplates are the events as wevtutil prints them, with how often each
// comes.
func winTemplates() (out []string) {
	for _, k := range winKinds {
		var data strings.Builder
		for _, d := range k.data {
			name, value, _ := strings.Cut(d, "=")
			fmt.Fprintf(&data, "<Data Name='%s'>%s</Data>", name, value)
		}
		text := fmt.Sprintf("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'/><EventID>%d</EventID><Version>%d</Version>"+
			"<Level>0</Level><Task>%d</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='TIME'/><EventRecordID>RECORD</EventRecordID><Correlation/><Execution ProcessID='736' ThreadID='1800'/>"+
			"<Channel>Security</Channel><Computer>dc01.corp.example.org</Computer><Security/></System><EventData>%s</EventData></Event>\n", k.id, k.version, k.task, data.String())
		for range k.often {
			out = append(out, strings.ReplaceAll(text, "\n\t", " "))
		}
	}
	return out
}

// writeWindows repeats the events until there are so many bytes, each time with
// other names, addresses and times.
func writeWindows(to *bufio.Writer, size int64) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	all := winTemplates()
	for written, n := int64(0), 0; written < size; n++ {
		at = at.Add(12345600 * time.Nanosecond)
		text := strings.NewReplacer("NAME'", "NAME'", "NAME", nameOf(n/97, n), "CLIENT", hostOf(clientOf(n/97, n)), "NUMBER", fmt.Sprint(10_000+n%manyNames), "RECORD", fmt.Sprint(1_000_000+n),
			"TIME", at.Format("2006-01-02T15:04:05.0000000Z")).Replace(all[n*7%len(all)])
		k, _ := to.WriteString(text)
		written += int64(k)
	}
}
