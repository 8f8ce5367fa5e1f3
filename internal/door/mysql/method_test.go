package mysql

import (
	"encoding/hex"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// What a MySQL 8 server says, which Debian does not have. The hashes are those
// of github.com/go-sql-driver/mysql's tests.
func TestMySQLsOwnMethods(t *testing.T) {
	t.Parallel()
	secret := credential.NewSecret("secret")
	salt := []byte{10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21}
	hash := "f490e76f66d9d86665ce54d98c78d0acfe2fb0b08b423da807144873d30b312c"
	switched := func(method string, challenge ...byte) []byte {
		return append(append([]byte{isSwitch}, method...), append([]byte{0}, challenge...)...)
	}
	yes, no := []byte{isOK, 0, 0, 2, 0, 0, 0}, []byte("\xff\x15\x04#28000Access denied")
	for name, row := range map[string]struct {
		secured bool
		says    [][]byte // what the server says to each packet
		hears   []string // what it then hears, in hex
		want    error
	}{
		"the hash is at hand":             {false, [][]byte{switched(methodCaching, append(salt, 0)...), {isMore, 3}, yes}, []string{hash, ""}, nil},
		"a wrong value, by its hash":      {false, [][]byte{switched(methodCaching, append(salt, 0)...), no}, []string{hash}, &sqlError{1045, "28000"}},
		"the value itself, over TLS":      {true, [][]byte{switched(methodCaching, append(salt, 0)...), {isMore, 4}, yes}, []string{hash, hex.EncodeToString([]byte("secret\x00"))}, nil},
		"the value itself, in clear text": {false, [][]byte{switched(methodCaching, append(salt, 0)...), {isMore, 4}}, []string{hash}, errMethod},
		"sha256, over TLS":                {true, [][]byte{switched("sha256_password", append(salt, 0)...), yes}, []string{hex.EncodeToString([]byte("secret\x00"))}, nil},
		"sha256, in clear text":           {false, [][]byte{switched("sha256_password", append(salt, 0)...)}, nil, errMethod},
		"clear, over TLS":                 {true, [][]byte{switched("mysql_clear_password"), yes}, []string{hex.EncodeToString([]byte("secret\x00"))}, nil},
		"clear, in clear text":            {false, [][]byte{switched("mysql_clear_password")}, nil, errMethod},
		"before 4.1":                      {true, [][]byte{{isSwitch}}, nil, errMethod},
		"a code besides":                  {true, [][]byte{switched(methodDialog, append([]byte{4}, "Password: "...)...), append([]byte{2}, "Code: "...)}, []string{hex.EncodeToString([]byte("secret\x00"))}, errPrompt},
		"a code first":                    {true, [][]byte{switched(methodDialog, append([]byte{2}, "Code: "...)...)}, nil, errMethod},
		"without an end":                  {true, [][]byte{append([]byte{isSwitch}, "dialog"...)}, nil, errForeign},
		"a challenge that is too short":   {true, [][]byte{switched("client_ed25519", 1)}, nil, errForeign},
	} {
		here, there := net.Pipe()
		deadline := time.Now().Add(time.Minute)
		require.NoError(t, here.SetDeadline(deadline))
		require.NoError(t, there.SetDeadline(deadline))
		heard := make(chan []string)
		go func() {
			server := &session{Conn: there}
			_, err := server.read() // the login itself
			var all []string
			for _, text := range row.says {
				if err != nil || server.write(text) != nil {
					break
				}
				if text[0] == isMore && text[1] == 3 {
					all = append(all, "")
					continue
				}
				var p []byte
				if p, err = server.read(); err == nil {
					all = append(all, hex.EncodeToString(p))
				}
			}
			heard <- all
		}()
		err := (&session{Conn: here, salt: salt, secured: row.secured}).login("svc", secret)
		require.NoError(t, here.Close())
		require.Equal(t, row.want, err, name)
		require.Equal(t, row.hears, <-heard, name)
	}
}
