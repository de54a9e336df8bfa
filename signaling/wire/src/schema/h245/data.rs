//! Capabilities of data applications: T.120, fax, still images.

use bytes::Bytes;

use super::generic::GenericCapability;
use super::message::NonStandardParameter;
use crate::per::Int;
use crate::per::notation::{choice, sequence};

sequence! {
    /// A data application and its bit rate.
    DataApplicationCapability {
        application "application": DataApplicationCapabilityApplication,
        max_bit_rate "maxBitRate": u32,
        ...
    }
}

choice! {
    /// `application` of [`DataApplicationCapability`].
    DataApplicationCapabilityApplication {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 T120 "t120": DataProtocolCapability,
        2 DsmCc "dsm-cc": DataProtocolCapability,
        3 UserData "userData": DataProtocolCapability,
        4 T84 "t84": Box<DataApplicationCapabilityApplicationT84>,
        5 T434 "t434": DataProtocolCapability,
        6 H224 "h224": DataProtocolCapability,
        7 Nlpid "nlpid": Box<DataApplicationCapabilityApplicationNlpid>,
        8 DsvdControl "dsvdControl",
        9 H222DataPartitioning "h222DataPartitioning": DataProtocolCapability,
        ...
        0 T30fax "t30fax": DataProtocolCapability,
        1 T140 "t140": DataProtocolCapability,
        2 T38fax "t38fax": Box<DataApplicationCapabilityApplicationT38fax>,
        3 GenericDataCapability "genericDataCapability": Box<GenericCapability>,
    }
}

sequence! {
    /// `t84` of [`DataApplicationCapabilityApplication`].
    DataApplicationCapabilityApplicationT84 {
        t84_protocol "t84Protocol": DataProtocolCapability,
        t84_profile "t84Profile": T84Profile,
    }
}

sequence! {
    /// `nlpid` of [`DataApplicationCapabilityApplication`].
    DataApplicationCapabilityApplicationNlpid {
        nlpid_protocol "nlpidProtocol": DataProtocolCapability,
        nlpid_data "nlpidData": Bytes,
    }
}

sequence! {
    /// `t38fax` of [`DataApplicationCapabilityApplication`].
    DataApplicationCapabilityApplicationT38fax {
        t38_fax_protocol "t38FaxProtocol": DataProtocolCapability,
        t38_fax_profile "t38FaxProfile": T38FaxProfile,
    }
}

choice! {
    /// The protocol below a data application.
    DataProtocolCapability {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 V14buffered "v14buffered",
        2 V42lapm "v42lapm",
        3 HdlcFrameTunnelling "hdlcFrameTunnelling",
        4 H310SeparateVCStack "h310SeparateVCStack",
        5 H310SingleVCStack "h310SingleVCStack",
        6 Transparent "transparent",
        ...
        0 SegmentationAndReassembly "segmentationAndReassembly",
        1 HdlcFrameTunnelingwSAR "hdlcFrameTunnelingwSAR",
        2 V120 "v120",
        3 SeparateLANStack "separateLANStack",
        4 V76wCompression "v76wCompression": DataProtocolCapabilityV76wCompression,
        5 Tcp "tcp",
        6 Udp "udp",
    }
}

choice! {
    /// `v76wCompression` of [`DataProtocolCapability`].
    DataProtocolCapabilityV76wCompression {
        0 TransmitCompression "transmitCompression": CompressionType,
        1 ReceiveCompression "receiveCompression": CompressionType,
        2 TransmitAndReceiveCompression "transmitAndReceiveCompression": CompressionType,
        ...
    }
}

choice! {
    /// Data compression.
    CompressionType {
        0 V42bis "v42bis": V42bis,
        ...
    }
}

sequence! {
    /// Parameters of V.42bis compression.
    V42bis {
        number_of_codewords "numberOfCodewords": u32 as Int<1, 65_536>,
        maximum_string_length "maximumStringLength": u16 as Int<1, 256>,
        ...
    }
}

choice! {
    /// Still images of T.84.
    T84Profile {
        0 T84Unrestricted "t84Unrestricted",
        1 T84Restricted "t84Restricted": T84ProfileT84Restricted,
    }
}

sequence! {
    /// `t84Restricted` of [`T84Profile`].
    #[derive(Default)]
    T84ProfileT84Restricted {
        qcif "qcif": bool,
        cif "cif": bool,
        ccir601_seq "ccir601Seq": bool,
        ccir601_prog "ccir601Prog": bool,
        hdtv_seq "hdtvSeq": bool,
        hdtv_prog "hdtvProg": bool,
        g3_facs_mh200x100 "g3FacsMH200x100": bool,
        g3_facs_mh200x200 "g3FacsMH200x200": bool,
        g4_facs_mmr200x100 "g4FacsMMR200x100": bool,
        g4_facs_mmr200x200 "g4FacsMMR200x200": bool,
        jbig200x200_seq "jbig200x200Seq": bool,
        jbig200x200_prog "jbig200x200Prog": bool,
        jbig300x300_seq "jbig300x300Seq": bool,
        jbig300x300_prog "jbig300x300Prog": bool,
        dig_photo_low "digPhotoLow": bool,
        dig_photo_med_seq "digPhotoMedSeq": bool,
        dig_photo_med_prog "digPhotoMedProg": bool,
        dig_photo_high_seq "digPhotoHighSeq": bool,
        dig_photo_high_prog "digPhotoHighProg": bool,
        ...
    }
}

sequence! {
    /// Parameters of T.38 fax.
    #[derive(Default)]
    T38FaxProfile {
        fill_bit_removal "fillBitRemoval": bool,
        transcoding_jbig "transcodingJBIG": bool,
        transcoding_mmr "transcodingMMR": bool,
        ...
        version "version": u8,
        t38_fax_rate_management "t38FaxRateManagement": T38FaxRateManagement,
        t38_fax_udp_options "t38FaxUdpOptions": T38FaxUdpOptions,
        t38_fax_tcp_options "t38FaxTcpOptions": T38FaxTcpOptions,
    }
}

choice! {
    /// Who manages the rate of a fax.
    T38FaxRateManagement {
        0 LocalTCF "localTCF",
        1 TransferredTCF "transferredTCF",
        ...
    }
}

sequence! {
    /// T.38 over UDP.
    T38FaxUdpOptions {
        t38_fax_max_buffer "t38FaxMaxBuffer"?: i64,
        t38_fax_max_datagram "t38FaxMaxDatagram"?: i64,
        t38_fax_udp_ec "t38FaxUdpEC": T38FaxUdpOptionsT38FaxUdpEC,
    }
}

choice! {
    /// `t38FaxUdpEC` of [`T38FaxUdpOptions`].
    T38FaxUdpOptionsT38FaxUdpEC {
        0 T38UDPFEC "t38UDPFEC",
        1 T38UDPRedundancy "t38UDPRedundancy",
        ...
    }
}

sequence! {
    /// T.38 over TCP.
    #[derive(Default)]
    T38FaxTcpOptions {
        t38_tcp_bidirectional_mode "t38TCPBidirectionalMode": bool,
        ...
    }
}
