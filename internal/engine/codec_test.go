package engine

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"rollcall/internal/credential"
)

func key(fill string) credential.Secret {
	return credential.NewSecret(base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, 32))))
}

func converters(t *testing.T, k credential.Secret) converter.DataConverter {
	t.Helper()
	data, codec, err := Converters(k)
	require.NoError(t, err)
	require.NotNil(t, codec)
	return data
}

type message struct {
	Campaign string `json:"campaign"`
	Items    []int  `json:"items"`
}

var long = message{Campaign: strings.Repeat("esg-01 ", 200), Items: []int{1, 2, 3}}

func TestPayloadsComeBackAsTheyWent(t *testing.T) {
	for name, k := range map[string]credential.Secret{"without a key": {}, "with a key": key("k")} {
		for _, in := range []message{{Campaign: "c"}, long, {}} {
			data := converters(t, k)
			p, err := data.ToPayload(in)
			require.NoError(t, err)
			var out message
			require.NoError(t, data.FromPayload(p, &out), name)
			require.Equal(t, in, out, name)
		}
	}
}

func TestLongPayloadsAreCompressedAlsoWhenSealed(t *testing.T) {
	for _, k := range []credential.Secret{{}, key("k")} {
		p, err := converters(t, k).ToPayload(long)
		require.NoError(t, err)
		require.Less(t, len(p.Data), len(long.Campaign)/4)
	}
}

func TestASealedPayloadShowsNothingAndIsNeverTheSameTwice(t *testing.T) {
	data := converters(t, key("k"))
	first, err := data.ToPayload(message{Campaign: "esg-01"})
	require.NoError(t, err)
	second, err := data.ToPayload(message{Campaign: "esg-01"})
	require.NoError(t, err)
	require.NotEqual(t, first.Data, second.Data)
	raw, err := proto.Marshal(first)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "esg-01")
	require.NotContains(t, string(raw), "json", "nor of what kind it is")
}

func TestAPayloadSealedWithAnotherKeyFailsClearly(t *testing.T) {
	p, err := converters(t, key("a")).ToPayload(message{Campaign: "c"})
	require.NoError(t, err)
	var out message
	require.ErrorContains(t, converters(t, key("b")).FromPayload(p, &out), "sealed with another key")
	p.Data[len(p.Data)-1] ^= 1
	require.Error(t, converters(t, key("a")).FromPayload(p, &out), "a changed payload does not open either")
	p.Data = p.Data[:5]
	require.ErrorContains(t, converters(t, key("a")).FromPayload(p, &out), "cut short")
}

func TestWhatWasNotSealedCanStillBeReadOnceThereIsAKey(t *testing.T) {
	for _, in := range []message{{Campaign: "short"}, long} {
		p, err := converters(t, credential.Secret{}).ToPayload(in)
		require.NoError(t, err)
		var out message
		require.NoError(t, converters(t, key("k")).FromPayload(p, &out))
		require.Equal(t, in, out)
	}
}

func TestASealedPayloadCannotBeReadWithoutTheKey(t *testing.T) {
	p, err := converters(t, key("k")).ToPayload(message{Campaign: "c"})
	require.NoError(t, err)
	var out message
	require.Error(t, converters(t, credential.Secret{}).FromPayload(p, &out))
}

func TestAKeyThatIsNoneIsRefused(t *testing.T) {
	for _, bad := range []string{"short", base64.StdEncoding.EncodeToString([]byte("sixteen bytes 16")), strings.Repeat("k", 32)} {
		_, _, err := Converters(credential.NewSecret(bad))
		require.ErrorContains(t, err, "32 random bytes")
		require.NotContains(t, err.Error(), bad)
	}
}

func TestTheTextOfAFailureIsNotReadableWhereItIsStored(t *testing.T) {
	data := converters(t, key("k"))
	c := temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: data, EncodeCommonAttributes: true})
	cause := errors.New("vault kv/apps/svc-mail is gone")
	in := temporal.NewApplicationErrorWithCause("the directory at ldap.example.org is down", "Directory", cause)
	f := c.ErrorToFailure(in)
	raw, err := proto.Marshal(f)
	require.NoError(t, err)
	for _, text := range []string{"ldap.example.org", "svc-mail"} {
		require.NotContains(t, string(raw), text)
	}
	out := c.FailureToError(f)
	require.ErrorContains(t, out, "ldap.example.org")
	var app *temporal.ApplicationError
	require.ErrorAs(t, out, &app)
	require.Equal(t, "Directory", app.Type(), "policies of retrying see the type")
}

func TestNilPayloadsAreNoTrouble(t *testing.T) {
	_, codec, err := Converters(key("k"))
	require.NoError(t, err)
	sealed, err := codec.Encode([]*commonpb.Payload{{}})
	require.NoError(t, err)
	back, err := codec.Decode(sealed)
	require.NoError(t, err)
	require.Len(t, back, 1)
}

func TestPayloadsArePackedAsTheSDKPacksThem(t *testing.T) {
	theirs, ours := converter.NewZlibCodec(converter.ZlibCodecOptions{}), newPacked()
	for _, data := range []string{"", "short", strings.Repeat("esg-01 ", 200), strings.Repeat("x", 1<<20)} {
		p := []*commonpb.Payload{{Metadata: map[string][]byte{converter.MetadataEncoding: []byte("json/plain")}, Data: []byte(data)}}
		want, err := theirs.Encode(p)
		require.NoError(t, err)
		for range 2 { // the second time with a compressor that was used before
			got, err := ours.Encode(p)
			require.NoError(t, err)
			require.True(t, proto.Equal(want[0], got[0]))
			back, err := ours.Decode(got)
			require.NoError(t, err)
			require.True(t, proto.Equal(p[0], back[0]))
		}
	}
}
