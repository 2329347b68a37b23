package requireauth

import "testing"

func TestLoginURL(t *testing.T) {
	for login, good := range map[string]bool{
		"": true, "/login": true, "/login?a=1#b": true, "https://id.example/login": true, "http://localhost:8080/": true,
		"login": false, "//id.example/": false, "///id.example/": false, `/\id.example/`: false, "https:login": false, "https:///login": false,
		"https://user@id.example/": false, "javascript:alert(1)": false, "ftp://id.example/": false, "/{http.request.uri}": false, "/%zz": false,
	} {
		if err := checkLoginURL(login); (err == nil) != good {
			t.Errorf("%s: %v", login, err)
		}
	}
}
