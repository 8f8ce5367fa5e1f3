package inventory

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

func inUTF16(order binary.AppendByteOrder, text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// As Excel, PowerShell and people write it: read, or refused with what to do.
func TestACSVFileOfAnyProgramIsReadWhole(t *testing.T) {
	const dn = "uid=svc-a,ou=people,dc=example,dc=org"
	type seen struct{ account, path string }
	for name, tc := range map[string]struct {
		text string
		want []seen
	}{
		"a name that begins with #":               {"account,path,note\n#backup,kv/hash#password,nightly backup\nsvc-a,kv/a#p,\n", []seen{{"#backup", "kv/hash#password"}, {"svc-a", "kv/a#p"}}},
		"the same in quotes":                      {"account,path\n\"#backup\",kv/hash#password\n", []seen{{"#backup", "kv/hash#password"}}},
		"one column":                              {"account\n#backup\nsvc-a\n", []seen{{"#backup", ""}, {"svc-a", ""}}},
		"comments":                                {"# of esg-01, by hand\naccount,path\n# below the header \"too\n", nil},
		"lines of signs":                          {"account,path\n#---\n#\nsvc-a,kv/a#p\n", []seen{{"svc-a", "kv/a#p"}}},
		"a comment with one separator is a row":   {"account,path\n# was,kv/x#p\n", []seen{{"# was", "kv/x#p"}}},
		"a # in a note of two lines":              {"account,note\nsvc-a,\"first\n# second\"\nsvc-b,\n", []seen{{"svc-a", ""}, {"svc-b", ""}}},
		"semicolons":                              {"kind;directory;account;path;note\n;corp;" + dn + ";kv/a#p;Exportiert aus Excel\n", []seen{{dn, "kv/a#p"}}},
		"semicolons in quotes":                    {"\"account\";\"path\"\n\"" + dn + "\";\"kv/a#p\"\n", []seen{{dn, "kv/a#p"}}},
		"sep=":                                    {"sep=;\r\naccount;path\r\nsvc-a;kv/a#p\r\n", []seen{{"svc-a", "kv/a#p"}}},
		"tabs, and an empty first cell":           {"kind\taccount\tpath\n\tsvc-a\tkv/a#p\n", []seen{{"svc-a", "kv/a#p"}}},
		"bars":                                    {"account|path\nsvc-a|kv/a#p\n", []seen{{"svc-a", "kv/a#p"}}},
		"a comma at every end":                    {"account,path,\nsvc-a,kv/a#p,\n", []seen{{"svc-a", "kv/a#p"}}},
		"commas at some ends":                     {"account,path\nsvc-a,kv/a#p,,\nsvc-b,kv/b#p\n,,\n", []seen{{"svc-a", "kv/a#p"}, {"svc-b", "kv/b#p"}}},
		"#TYPE of PowerShell":                     {"#TYPE System.Management.Automation.PSCustomObject\r\n\"account\",\"path\"\r\n\"svc-a\",\"kv/a#p\"\r\n", []seen{{"svc-a", "kv/a#p"}}},
		"UTF-16 of Excel":                         {"\xff\xfe" + inUTF16(binary.LittleEndian, "account\tpath\njürgen\tkv/a#p\n"), []seen{{"jürgen", "kv/a#p"}}},
		"UTF-16, big-endian":                      {"\xfe\xff" + inUTF16(binary.BigEndian, "account,path\njürgen,kv/a#p\n"), []seen{{"jürgen", "kv/a#p"}}},
		"UTF-16 without a mark":                   {inUTF16(binary.LittleEndian, "account,path\nsvc-a,kv/a#p\n"), []seen{{"svc-a", "kv/a#p"}}},
		"lines of an old Macintosh":               {"account,path\rsvc-a,kv/a#p\rsvc-b,kv/b#p\r", []seen{{"svc-a", "kv/a#p"}, {"svc-b", "kv/b#p"}}},
		"UTF-8 with a mark, CRLF, no end of line": {"\xef\xbb\xbfAccount,Path\r\nsvc-a,kv/a#p", []seen{{"svc-a", "kv/a#p"}}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := read(campaign(), "m.csv", tc.text)
			require.NoError(t, err)
			var got []seen
			for _, c := range found {
				s := seen{account: c.Account}
				if c.Path != nil {
					s.path = c.Path.String()
				}
				got = append(got, s)
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestACSVFileThatCannotBeReadSaysHowToWriteIt(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"Latin-1":                      {"account,note\nj\xfcrgen,x\n", `m.csv:2: is not UTF-8 (Latin-1 or Windows-1252, it seems): a name would be read as another one; save it as "CSV UTF-8" (Excel)`},
		"a lost character":             {"account\nj\ufffdrgen\n", "m.csv:2: a character was lost when the file was saved"},
		"zero bytes":                   {"PK\x03\x04\x00\x00account\n", "m.csv: holds zero bytes"},
		"a DN without quotes":          {"account,path\nuid=a,ou=people,dc=example,dc=org,kv/a#p\n", "m.csv:2: has 5 cells where the header has 2 (read as UTF-8, separated by commas): a value that holds the separator needs double quotes"},
		"a name that begins so, short": {"account,path\n#backup\nsvc-a,kv/a#p\n", "m.csv:2: has 1 cell where the header has 2 (read as UTF-8, separated by commas): below the header a line that begins with # is a row"},
		"a comment among rows":         {"account,path\n# old, do not use, see wiki\n", "m.csv:2: has 3 cells where the header has 2 (read as UTF-8, separated by commas): below the header a line that begins with # is a row"},
		"no header":                    {"svc-a;PLANTED\nsvc-b;x\n", "m.csv:1: no column of the header is known, with commas, semicolons, tabs or bars between them (it was read as UTF-8, separated by commas); the first line that is no comment must name the columns: call them account and path"},
		"no header, and a path":        {"svc-a,kv/a#password\nsvc-b,kv/b#password\n", "m.csv:1: no column of the header is known"},
		"no header, one column":        {"kv/a#password\nkv/b#password\n", "m.csv:1: no column of the header is known"},
		"a header behind a #":          {"# listed by hand\n#account,path\nsvc-a,kv/a#password\n", "m.csv:3: no column of the header is known, with commas, semicolons, tabs or bars between them (it was read as UTF-8, separated by commas); the first line that is no comment must name the columns, and line 2 names them behind a #, which makes it a comment: take the # away"},
		"a secret's column alone":      {"login;password\nsvc-a;PLANTED\n", "m.csv:1: a column for secrets is refused"},
		"an unknown column":            {"account;Vault Pfad\nsvc-a;x\n", "m.csv:1: unknown column vault pfad; known: kind, directory, account, path, line, note, doors, new, suggested, name, owner, due, ends, make, login (read as UTF-8, separated by semicolons)"},
		"a column that may be a value": {"account;PLANTED-1!\nsvc-a;x\n", "m.csv:1: unknown column (a word of other characters)"},
		"a value under no name":        {"account,,path\nsvc-a,PLANTED,kv/a#p\n", "m.csv:2: has a value in column 2, which has no name in the header"},
		"cut off":                      {"account,path\nsvc-a,kv/a#p\nsvc-b", "m.csv:3: has 1 cell where the header has 2"},
		"nothing but comments":         {"# nothing\n\n", "m.csv: has no header line"},
		"a secret's column":            {"account;password\nsvc-a;PLANTED\n", "m.csv:1: a column for secrets is refused"},
		"sep= of letters":              {"sep=x\naccountxpath\n", "m.csv:1: no column of the header is known"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := read(campaign(), "m.csv", tc.text)
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "PLANTED")
			require.Empty(t, found)
		})
	}
}
