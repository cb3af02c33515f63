module heroku-go

go 1.19

// +heroku goVersion go1.26
