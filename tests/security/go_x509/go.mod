module go_x509

go 1.21
