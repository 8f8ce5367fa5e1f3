# The same as slapd.py.
$6 == "ACCEPT" { ip = $8; sub(/^IP=/, "", ip); sub(/:[0-9]*$/, "", ip); address[$4] = ip; next }
$6 == "BIND" && $7 ~ /^dn=/ && $8 ~ /^method=/ { dn = $7; sub(/^dn="/, "", dn); sub(/"$/, "", dn); waits[$4 $5] = dn; next }
$6 == "RESULT" && $7 == "tag=97" {
	if ($4 $5 in waits) {
		dn = waits[$4 $5]; delete waits[$4 $5]
		if (dn != "") {
			key = dn "\t" address[$4] "\t" $8
			if (!(key in n)) first[key] = $1
			n[key]++; last[key] = $1
		}
	}
	next
}
$6 == "closed" { delete address[$4] }
END { for (key in n) print n[key] "\t" key "\t" first[key] "\t" last[key] }
