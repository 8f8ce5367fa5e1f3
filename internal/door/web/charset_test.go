package web

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyTheChallengeForBasicSaysHowBasicIsRead(t *testing.T) {
	for _, row := range []struct {
		utf8   bool
		fields []string
	}{
		{true, []string{`Basic realm="x", charset="UTF-8"`}},
		{true, []string{`basic charset="utf-8", realm="x"`}},
		{true, []string{`Digest realm="x", nonce="1"`, `Basic realm="x", CHARSET="UTF-8"`}},
		{true, []string{`Digest realm="x", nonce="1", Basic realm="x", charset="UTF-8"`}},
		{false, []string{`Basic realm="x"`}},
		{false, []string{`Digest realm="x", charset=UTF-8`, `Basic realm="x"`}},
		{false, []string{`Basic realm="x", Digest realm="x", charset=UTF-8`}},
		{false, nil},
	} {
		r := &http.Response{Header: http.Header{"Proxy-Authenticate": row.fields}}
		require.Equal(t, row.utf8, readsUTF8(r, "Proxy-Authenticate"), row.fields)
		require.False(t, readsUTF8(r, "Www-Authenticate"))
	}
}
