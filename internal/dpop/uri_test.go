package dpop

import "testing"

func TestNormalize(t *testing.T) {
	for _, test := range []struct{ name, uri, want string }{
		{"R9449-6: normal already", "https://api.example.com/a/b", "https://api.example.com/a/b"},
		{"R9449-6: scheme and host case", "HTTPS://API.Example.COM/", "https://api.example.com/"},
		{"R9449-6: path case stays", "https://a/Path", "https://a/Path"},
		{"R9449-6: trailing slash stays", "https://a/path/", "https://a/path/"},
		{"R9449-6: empty path", "https://a", "https://a/"},
		{"R9449-6: query and fragment", "https://a/b?c=/../d#e?f", "https://a/b"},
		{"R9449-6: query without a path", "https://a?b", "https://a/"},
		{"R9449-6: fragment without a path", "https://a#b?c", "https://a/"},
		{"R9449-6: default port of https", "https://a:443/", "https://a/"},
		{"R9449-6: default port of http", "http://a:80/", "http://a/"},
		{"R9449-6: port of the other scheme", "https://a:80/", "https://a:80/"},
		{"R9449-6: empty port", "https://a:/", "https://a/"},
		{"R9449-6: port with zeros", "https://a:08443/", "https://a:8443/"},
		{"R9449-6: the last port", "https://a:65535/", "https://a:65535/"},
		{"R9449-6: host with all that a name may have", "https://a-b_c~!$&'()*+,;=.d/", "https://a-b_c~!$&'()*+,;=.d/"},
		{"R9449-6: IPv6", "https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"},
		{"R9449-6: IPv6 with a port", "http://[::1]:8080", "http://[::1]:8080/"},
		{"R9449-6: percent-encodings in upper case", "https://a/%c3%a9%2f", "https://a/%C3%A9%2F"},
		{"R9449-6: unreserved characters decoded", "https://a/%7Euser%2D%5f%41%2e", "https://a/~user-_A."},
		{"R9449-6: the ends of the alphabet decoded", "https://a/%61%7a%41%5A%30%39", "https://a/azAZ09"},
		{"R9449-6: decoded once only", "https://a/%2541", "https://a/%2541"},
		{"R9449-6: reserved characters stay", "https://a/b;c=d,e:f@g!$&'()*+", "https://a/b;c=d,e:f@g!$&'()*+"},
		{"R9449-6: encoded reserved characters stay", "https://a/%3B%3A", "https://a/%3B%3A"},
		{"R9449-6: what browsers leave", `https://a/[b]|c^d\e"f`, "https://a/%5Bb%5D%7Cc%5Ed%5Ce%22f"},
		{"R9449-6: dot segments", "https://a/b/./c/../d", "https://a/b/d"},
		{"R9449-6: example of RFC 3986 §5.2.4", "http://a/b/c/./../../g", "http://a/g"},
		{"R9449-6: encoded dot segments", "https://a/b/%2e%2E/c", "https://a/c"},
		{"R9449-6: dot segments at the end", "https://a/b/c/..", "https://a/b/"},
		{"R9449-6: dot at the end", "https://a/b/.", "https://a/b/"},
		{"R9449-6: dot segments at the root", "https://a/../../b", "https://a/b"},
		{"R9449-6: nothing but dots", "https://a/..", "https://a/"},
		{"R9449-6: dots that are names", "https://a/.../.b/c.", "https://a/.../.b/c."},
		{"R9449-6: empty segments stay", "https://a//b//", "https://a//b//"},
		{"R9449-6: empty segments are removed one by one", "https://a/b//../c", "https://a/b/c"},
		{"R9449-6: encoded slashes are no separators", "https://a/b%2F..%2Fc", "https://a/b%2F..%2Fc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := normalize(test.uri)
			if err != nil || got != test.want {
				t.Errorf("%s: got %q, %v, want %q", test.uri, got, err, test.want)
			}
		})
	}
}

func TestNormalizeRefuses(t *testing.T) {
	for name, uri := range map[string]string{
		"R9449-6: empty":                     "",
		"R9449-6: path only":                 "/a",
		"R9449-6: no scheme":                 "//a/b",
		"R9449-6: host only":                 "api.example.com/a",
		"R9449-6: another scheme":            "ftp://a/",
		"R9449-6: scheme beyond ASCII":       "http\u017f://a/",
		"R9449-6: no authority":              "https:a",
		"R9449-6: one slash":                 "https:/a",
		"R9449-6: space in front":            " https://a/",
		"R9449-6: no host":                   "https:///a",
		"R9449-6: port without a host":       "https://:443/",
		"R9449-6: scheme only in the query":  "?https://a/",
		"R9449-6: user":                      "https://user@a/",
		"R9449-6: user and password":         "https://user:password@a/",
		"R9449-6: percent-encoded host":      "https://%61/",
		"R9449-6: host beyond ASCII":         "https://\u212aa/",
		"R9449-6: backslash in the host":     `https://a\b/`,
		"R9449-6: space in the host":         "https://a b/",
		"R9449-6: port that is not a number": "https://a:b/",
		"R9449-6: port with a sign":          "https://a:+443/",
		"R9449-6: port out of range":         "https://a:65536/",
		"R9449-6: two ports":                 "https://a:1:2/",
		"R9449-6: IPv6 without brackets":     "https://::1/",
		"R9449-6: IPv6 with one bracket":     "https://[::1/",
		"R9449-6: IPv6 and port likewise":    "https://[1::2:/",
		"R9449-6: IPv6 with text after":      "https://[::1]a/",
		"R9449-6: IPv6 with a zone":          "https://[fe80::1%25eth0]/",
		"R9449-6: IPv4 in brackets":          "https://[127.0.0.1]/",
		"R9449-6: nothing in brackets":       "https://[]/",
		"R9449-6: percent alone":             "https://a/%",
		"R9449-6: percent with one digit":    "https://a/%4",
		"R9449-6: percent after a letter":    "https://a/b%4",
		"R9449-6: percent with no digits":    "https://a/%zz",
		"R9449-6: space":                     "https://a/b c",
		"R9449-6: line break":                "https://a/b\nc",
		"R9449-6: path beyond ASCII":         "https://a/é",
		"R9449-6: delete character":          "https://a/\x7f",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := normalize(uri); err == nil {
				t.Errorf("%q was read as %q", uri, got)
			}
		})
	}
}
